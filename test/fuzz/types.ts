/** A part of a JSON schema as far as the fuzzer reads it. */
export interface Schema {
  readonly $ref?: string;
  readonly type?: string;
  readonly nullable?: boolean;
  readonly enum?: readonly unknown[];
  readonly example?: unknown;
  readonly default?: unknown;
  readonly format?: string;
  readonly pattern?: string;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean | Schema;
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly allOf?: readonly Schema[];
}

export interface Parameter {
  readonly name: string;
  readonly in: string;
  readonly required?: boolean;
  readonly schema?: Schema;
}

export interface Media {
  readonly schema?: Schema;
}

export interface DocumentedReply {
  readonly content?: Readonly<Record<string, Media>>;
}

export interface Operation {
  readonly operationId: string;
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: { readonly required?: boolean; readonly content: Readonly<Record<string, Media>> };
  readonly responses: Readonly<Record<string, DocumentedReply>>;
}

export interface OpenApi {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> };
}

/** An operation together with where it is. */
export interface Target {
  readonly method: string;
  readonly path: string;
  readonly operation: Operation;
}

/** One request that a client with an HTTP library would make. */
export interface Shot {
  /** The operation that was aimed at; null: none, so that only 4xx are right. */
  readonly target: Target | null;
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array<ArrayBuffer> | null;
  /** For people: what is wrong with it. */
  readonly how: string;
}

export interface HttpReply {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
}

/** Bytes on a socket, and what to do between them. */
export interface RawShot {
  readonly how: string;
  readonly parts: readonly Uint8Array<ArrayBuffer>[];
  /** Between the parts. */
  readonly pauseMs: number;
  /** `half`: only this side ends; `reset`: the connection is torn; `wait`: it stays until the server ends it. */
  readonly end: 'half' | 'reset' | 'wait';
}

export interface Failure {
  readonly rule: string;
  readonly what: string;
}

export interface Memory {
  readonly rssMiB: number;
  readonly heapMiB: number;
}

export interface Verdict {
  readonly seed: number;
  readonly requests: number;
  readonly rawConnections: number;
  readonly statuses: Readonly<Record<string, number>>;
  readonly operations: Readonly<Record<string, number>>;
  readonly kinds: Readonly<Record<string, number>>;
  readonly memory: { readonly warm: Memory; readonly end: Memory };
  readonly seconds: number;
  readonly failures: readonly Failure[];
}

export interface Options {
  readonly requests: number;
  readonly seed: number;
  readonly json: string | null;
  readonly keep: boolean;
  readonly sabotage: Sabotage | null;
}

export type Sabotage = 'throw' | 'log' | 'shape' | 'leak' | 'exit';
