/** Whose request it is: the name of the key that came with it. */
export interface Caller {
  readonly name: string;
}

declare module 'fastify' {
  interface FastifyRequest {
    /** Null without a valid key, and wherever no keys are in force. */
    caller: Caller | null;
  }
}

/** What a controller needs to know of a request to tell who acts. */
export interface ActingRequest {
  readonly ip: string;
  readonly caller: Caller | null;
}

/** Whose share of a limit a request counts against: its key's, or without one its address's. */
export function callerKeyOf({ caller, ip }: ActingRequest): string {
  return caller === null ? `address ${ip}` : `key ${caller.name}`;
}

/** Who acts and why, as `operator_actions` keeps it. */
export interface Actor {
  readonly by: string;
  /** Whom the caller itself named; a key says who answers for it. */
  readonly onBehalfOf: string | null;
  readonly reason: string | null;
}

/**
 * Who is written down for what a request does: the name of its key, which nothing in the request can replace.
 * Where no keys are in force it is whom the caller names, or `otherwise`.
 */
export function actorOf(
  request: ActingRequest,
  act: { readonly by?: string | undefined; readonly reason?: string | undefined } | undefined,
  otherwise = request.ip,
): Actor {
  const reason = act?.reason ?? null;
  return request.caller === null
    ? { by: act?.by ?? otherwise, onBehalfOf: null, reason }
    : { by: request.caller.name, onBehalfOf: act?.by ?? null, reason };
}
