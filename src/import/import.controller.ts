import { Controller, HttpCode, Post, Query, Req, Res } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Readable } from 'node:stream';
import type { z } from 'zod';
import { ApiErrors, REFUSED_BY_DATABASE } from '../api-errors.js';
import { RequiredScope } from '../required-scope.js';
import { CsvFormat } from './csv-format.js';
import { IMPORT_EXAMPLES } from './import-examples.js';
import { ImportRefused } from './import-errors.js';
import { importQuerySchema, importReportSchema, type ImportReport } from './import-report.js';
import { MessageImport } from './message-import.js';
import { NdjsonFormat } from './ndjson-format.js';

export const CSV = 'text/csv';
export const NDJSON = 'application/x-ndjson';

@ApiTags('messages')
@Controller()
export class ImportController {
  constructor(private readonly imports: MessageImport) {}

  @Post('messages/import')
  @HttpCode(200)
  @RequiredScope('send', { streams: [NDJSON, CSV] })
  @ApiOperation({
    summary: 'Store a file of messages',
    description:
      'NDJSON (a message per line) or CSV (the first line names the columns `recipient_phone,content`), in UTF-8. ' +
      'The rows are stored in their order and in one transaction when the last has come; a client that goes away before ' +
      'leaves nothing behind. A commit that has begun is finished, also when the service ends. A record has at most ' +
      '16 KiB. The upload may take hours, as long as something comes every `APP_SERVER_READ_TIMEOUT` seconds and 600 KiB ' +
      'in each minute. `APP_IMPORT_MAX_BYTES` (1 GiB) and `APP_IMPORT_MAX_ROWS` (10,000,000) limit it. Two imports at once ' +
      'per replica.',
    requestBody: { required: true, content: IMPORT_EXAMPLES },
  })
  @ApiOkResponse({
    description: 'Stored. With `per-row`, `refused` tells how many rows were not.',
    standardSchema: importReportSchema,
  })
  @ApiErrors(
    400,
    {
      status: 400,
      error: '1 of 2 rows is invalid, so none was stored',
      code: 'import.invalid',
      rows: 2,
      refused: 1,
      faults: [{ line: 2, field: 'content', reason: 'must not be empty' }],
      faults_left_out: 0,
    },
    {
      status: 400,
      error:
        'Line 1 must name the two columns, recipient_phone,content: without it nobody knows which is which. It has 3 columns separated by a comma, others beside these two',
      code: 'import.header',
    },
    { status: 400, error: 'There is no row in it', code: 'import.empty' },
    408,
    {
      status: 408,
      error: 'Less than 614400 bytes arrived within 60 s, so nothing was stored: send the file faster, or in parts',
      code: 'import.too_slow',
    },
    {
      status: 413,
      error:
        'The file has more than 10000000 rows (APP_IMPORT_MAX_ROWS), so nothing was stored: send it in parts, raise the ' +
        'setting, or use "npm run import", which has no limit',
      code: 'import.too_large',
    },
    ...REFUSED_BY_DATABASE,
    {
      status: 422,
      error:
        'The database refused more than 1000 rows, so none of them was stored; the first, of line 3, is refused by PostgreSQL ' +
        '(SQLSTATE P0001, function object). Mend the trigger or the constraint, or take these rows out, and import the file again',
      code: 'import.refused_by_database',
      faults: [{ line: 3, field: '', reason: 'is refused by PostgreSQL (SQLSTATE P0001, function object)' }],
    },
    {
      status: 415,
      error: `The body must be ${NDJSON} or ${CSV}, in UTF-8 and not compressed, and the header Content-Type must say so`,
      code: 'request.media_type',
    },
    503,
    {
      status: 503,
      error: '2 imports are under way here already: try again when one has ended',
      code: 'import.busy',
    },
    {
      status: 503,
      error: 'The service is ending, so nothing was stored: send the file again',
      code: 'import.interrupted',
    },
    {
      status: 503,
      error:
        'PostgreSQL did not confirm the import: either the whole of it was stored or nothing. Look for one of its rows ' +
        '(GET /messages, or the table itself), and send the file again only if it is not there',
      code: 'import.unconfirmed',
    },
  )
  async importFile(
    @Query({ schema: importQuerySchema }) { mode }: z.infer<typeof importQuerySchema>,
    @Req() request: FastifyRequest<{ Body: Readable | undefined }>,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<ImportReport> {
    // A request without a body has no type that says which format it would be.
    if (request.body === undefined) throw ImportRefused.empty();
    const gone = new AbortController();
    reply.raw.once('close', () => gone.abort(ImportRefused.brokenOff()));
    const isCsv = request.headers['content-type']?.toLowerCase().startsWith(CSV) === true;
    return await this.imports.store(request.body, isCsv ? new CsvFormat() : new NdjsonFormat(), mode, gone.signal);
  }
}
