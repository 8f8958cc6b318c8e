import { Controller, Get } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { ApiErrors } from '../api-errors.js';
import { ApiDatabase, type Statement } from '../database.js';
import { RequiredScope } from '../required-scope.js';
import { Retention } from './retention.js';
import { retentionSchema, type RetentionView } from './retention.schemas.js';

type Kept = Pick<RetentionView, 'working' | 'swept_at' | 'walks'>;

@ApiTags('operations')
@Controller('retention')
export class RetentionController {
  constructor(
    private readonly retention: Retention,
    private readonly database: ApiDatabase,
  ) {}

  @Get()
  @RequiredScope('read')
  @ApiOperation({
    operationId: 'getRetention',
    summary: 'What is deleted and erased after how many days, and what became of it',
  })
  @ApiOkResponse({ description: 'Of the fleet, as the database holds it.', standardSchema: retentionSchema })
  @ApiErrors(503)
  async show(): Promise<RetentionView> {
    const { limits, notes } = this.retention.inForce;
    const [kept] = await this.database.query<Kept & Record<string, unknown>>(SHOW);
    const { working = null, swept_at = null, walks = [] } = kept ?? {};
    return { limits, notes: [...notes], trouble: this.retention.trouble, working, swept_at, walks };
  }
}

const utc = (column: string) => `to_char(${column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`;

const SHOW: Statement = {
  name: 'retention.show',
  text: `
    SELECT CASE WHEN lease_until > clock_timestamp() THEN owner END AS working, ${utc('swept_at')} AS swept_at, (
        SELECT coalesce(json_agg(json_build_object('name', walk, 'days', days, 'rows', done, 'refused', refused,
          'reason', reason, 'ended_at', ${utc('ended_at')}) ORDER BY walk), '[]')
        FROM retention_walks) AS walks
    FROM retention_state`,
};
