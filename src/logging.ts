import { ecsFormat } from '@elastic/ecs-pino-format';
import { RequestMethod } from '@nestjs/common';
import { isatty } from 'node:tty';
import { Logger as NestPinoLogger, type Params, PinoLogger } from 'nestjs-pino';
import { type DestinationStream, type Logger, type LoggerOptions, pino } from 'pino';
import { prettyFactory } from 'pino-pretty';
import { CENSORED, censorFields, SECRET_KEYS } from './censor-fields.js';
import type { StaticSettings } from './config/static-settings.js';
import { describeError, isError } from './described-error.js';
import { lineWithHiddenEscaped } from './hidden-characters.js';
import { LineOutput, standardOutput } from './line-output.js';
import { maskSecrets } from './mask-secrets.js';

/** The settings that decide how the log looks. */
export type LogSettings = Pick<StaticSettings, 'logLevel' | 'logFormat' | 'serviceName'>;

const LEVELS = new Set(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']);
const LEVEL_ALIASES: Readonly<Record<string, string>> = { warning: 'warn', log: 'info', verbose: 'debug' };

// Nest tells of every module and route at each start, at the level of a change of state.
const NEST_CHATTER = new Set(['InstanceLoader', 'NestFactory', 'RouterExplorer', 'RoutesResolver']);
// What these say at any level, a start that failed, is also thrown to main.ts, which explains it.
const NEST_ECHOES = new Set(['ExceptionHandler', 'NestApplication', 'TypeOrmModule']);

// The message of a request line says them already.
const PRETTY_LEAVES_OUT = [
  'log.logger',
  'http.request.method',
  'url.path',
  'http.response.status_code',
  'event.duration',
  'client.ip',
  'user.name',
]
  .map((key) => key.replaceAll('.', '\\.'))
  .join();

/**
 * A logger of the process, usable before and beside Nest: ECS JSON lines or readable ones, on stdout unless `destination`
 * is given. Lines are written synchronously while somebody reads them, so none is lost when the process ends; when nobody
 * does, the service goes on and says later how many are missing. Errors are reduced to type, message, stack and code;
 * passwords in URLs, credentials and phone numbers are masked wherever they stand in a line.
 */
export function createLogger(settings: LogSettings, destination?: DestinationStream): Logger {
  const options = { ...shared(settings), ...(settings.logFormat === 'json' ? json(settings) : readable()) };
  const lines = destination ?? standardOutput().output;
  const logger = pino(
    options,
    settings.logFormat === 'json' ? lines : prettyStream(lines, destination === undefined && isatty(1)),
  );
  if (lines instanceof LineOutput) {
    lines.onRecovered = (dropped) =>
      logger.warn(
        `${dropped.lines} lines of the log, ${dropped.warnings} of them warnings or errors, are missing here: ` +
          'standard output could not be written',
      );
  }
  return logger;
}

/**
 * What `LoggerModule.forRoot` takes. Lines logged while a request is served carry its `trace.id`.
 * nestjs-pino keeps one logger per process: the first call's is the one in use.
 */
export function loggingParams(settings: LogSettings, logger: Logger = createLogger(settings)): Params {
  return {
    pinoHttp: {
      logger,
      // Requests are logged by request-log.ts, which knows the route and drops the query.
      autoLogging: false,
      quietReqLogger: true,
      wrapSerializers: false,
      // pino-http makes a second logger for each request, which nobody uses, and has the whole request masked for it.
      serializers: { req: () => undefined },
      customAttributeKeys: { reqId: 'trace.id' },
    },
    renameContext: 'log.logger',
    // The default route of nestjs-pino matches nothing under Fastify.
    forRoutes: [{ path: '*splat', method: RequestMethod.ALL }],
  };
}

/** The logger that Nest's own `Logger` writes to, from the first line of the start on. */
export function nestLogger(params: Params): NestPinoLogger {
  return new NestPinoLogger(new PinoLogger(params), params);
}

function shared(settings: LogSettings): LoggerOptions {
  return {
    level: levelOf(settings.logLevel),
    // The bindings of a child logger do not pass the formatters.
    redact: { paths: [...SECRET_KEYS].map((key) => `["${key}"]`), censor: CENSORED },
    hooks: {
      streamWrite: (line) => lineWithHiddenEscaped(maskSecrets(line)),
      logMethod(args, method, level) {
        if (isNestNoise(contextOf(args[0]), level)) this.debug(...args);
        else method.apply(this, args);
      },
    },
  };
}

function json(settings: LogSettings): LoggerOptions {
  const ecs = ecsFormat({ serviceName: settings.serviceName, convertErr: false, apmIntegration: false });
  return { ...ecs, formatters: { ...ecs.formatters, log: (line) => loggable(line, 'error') } };
}

function readable(): LoggerOptions {
  return { base: null, formatters: { log: (line) => loggable(line, 'err') } };
}

// Not the stream of pino-pretty: that one is asynchronous, and the last lines before an exit would be lost.
function prettyStream(lines: DestinationStream, colorize: boolean): DestinationStream {
  const prettify = prettyFactory({
    colorize,
    translateTime: 'SYS:HH:MM:ss.l',
    singleLine: true,
    messageFormat: '{if log\\.logger}[{log\\.logger}] {end}{msg}',
    ignore: PRETTY_LEAVES_OUT,
  });
  // Reading the JSON of the line undid its escapes.
  const write = (line: string) => lines.write(lineWithHiddenEscaped(prettify(line)));
  return lines instanceof LineOutput ? lines.before(write) : { write };
}

function levelOf(text: string): string {
  const level = text.trim().toLowerCase();
  const known = LEVEL_ALIASES[level] ?? level;
  return LEVELS.has(known) ? known : 'info';
}

/** The fields of a line as they may be written. */
function loggable(line: Record<string, unknown>, errorKey: string): Record<string, unknown> {
  return censorFields(withErrorsDescribed(line, errorKey));
}

// Any error, under whatever key: left to JSON.stringify it would show its enumerable properties.
function withErrorsDescribed(line: Record<string, unknown>, errorKey: string): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(line).map(([key, value]) => {
      if (key === 'err') return [errorKey, describeError(value)];
      return [key, isError(value) ? describeError(value) : value];
    }),
  );
}

function isNestNoise(context: string, level: number): boolean {
  const { debug, info } = pino.levels.values;
  return (level === info && NEST_CHATTER.has(context)) || (level !== debug && NEST_ECHOES.has(context));
}

function contextOf(fields: unknown): string {
  const context =
    typeof fields === 'object' && fields !== null && 'log.logger' in fields ? fields['log.logger'] : undefined;
  return typeof context === 'string' ? context : '';
}
