import { Ajv } from 'ajv';
import addFormatsModule from 'ajv-formats';

/** @typedef {import('./types.js').OpenApi} OpenApi */
/** @typedef {import('./types.js').Schema} Schema */

const METHODS = new Set(['get', 'put', 'post', 'delete', 'patch']);
const ERROR_REPLY = '#/components/schemas/ErrorReply';

/** An OpenAPI document as the fuzzer uses it: what can be asked, and whether an answer is one of those it promises. */
export class ApiDocument {
  /** @param {OpenApi} document */
  constructor(document) {
    this.document = document;
    /** @type {import('./types.js').Target[]} */
    this.targets = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.entries(methods)
        .filter(([method]) => METHODS.has(method))
        .map(([method, operation]) => ({ method: method.toUpperCase(), path, operation })),
    );
    // OpenAPI's own keywords, such as `example`, are no business of a JSON schema validator.
    this.ajv = new Ajv({ strict: false, allErrors: false, logger: false });
    addFormatsModule.default(this.ajv);
    this.ajv.addSchema(document, 'api');
    /** @type {Map<string, import('ajv').ValidateFunction>} */
    this.validators = new Map();
  }

  /**
   * The schema behind a reference, or the schema itself.
   * @param {Schema} schema
   * @returns {Schema}
   */
  resolve(schema) {
    const name = schema.$ref?.split('/').at(-1);
    if (name === undefined) return schema;
    const found = this.document.components.schemas[name];
    if (found === undefined) throw new Error(`the document has no schema ${name}`);
    return this.resolve(found);
  }

  /**
   * Why this is not an answer that the document promises to that shot, or null.
   * @param {import('./types.js').Shot} shot
   * @param {import('./types.js').HttpReply} reply
   */
  objection({ target }, { status, contentType, body }) {
    if (target === null) return status < 400 ? null : this.misfit(ERROR_REPLY, body);
    const documented = target.operation.responses[status];
    if (documented === undefined) return `the status ${status} is not documented`;
    const media = Object.keys(documented.content ?? {});
    if (media.length === 0) return body === '' ? null : 'a body is not documented';
    const type = media.find((one) => contentType.startsWith(one));
    if (type === undefined) return `the content type ${contentType} is not documented`;
    if (!type.includes('json')) return null;
    const pointer = ['paths', target.path, target.method.toLowerCase(), 'responses', `${status}`, 'content', type];
    return this.misfit(`#/${pointer.map(escaped).join('/')}/schema`, body);
  }

  /**
   * @param {string} pointer
   * @param {string} body
   */
  misfit(pointer, body) {
    const validate = this.validators.get(pointer) ?? this.ajv.compile({ $ref: `api${pointer}` });
    this.validators.set(pointer, validate);
    /** @type {unknown} */
    let value;
    try {
      value = JSON.parse(body);
    } catch {
      return 'the body is not JSON';
    }
    return validate(value) ? null : `the body does not fit its schema: ${this.ajv.errorsText(validate.errors)}`;
  }
}

/** @param {string} part of a JSON pointer in a URI */
function escaped(part) {
  return encodeURIComponent(part.replaceAll('~', '~0').replaceAll('/', '~1'));
}
