import { type ArgumentMetadata, Injectable, StandardSchemaValidationPipe } from '@nestjs/common';
import type { z } from 'zod';
import { withHiddenEscaped } from './hidden-characters.js';
import { type RefusedField, RequestRefused } from './error-reply.js';
import { wordsOf } from './refusal-words.js';

type Issue = z.core.$ZodIssue;

const MAX_FIELDS = 100;
const MAX_NAMED = 10;
const MAX_NAME_CHARS = 64;

/**
 * Checks every argument of a controller against its zod schema. A misfit is refused with a 400 that names each field
 * and its limit; unknown fields of strict schemas are named too. The value handed on is the schema's output.
 */
@Injectable()
export class RequestValidationPipe extends StandardSchemaValidationPipe {
  override async transform<T>(value: T, metadata: ArgumentMetadata): Promise<T> {
    const name = metadata.data ?? metadata.type;
    const pipe = new StandardSchemaValidationPipe({
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- every schema of the service is zod's
      exceptionFactory: (issues) => refusal(issues as readonly Issue[], name),
    });
    return pipe.transform(value, metadata);
  }
}

/** The 400 for these issues of an argument called `name` (a parameter's name, else `body` or `query`). */
export function refusal(issues: readonly Issue[], name: string): RequestRefused {
  const fields = issues.flatMap((issue) => refusedFields(issue, [], name));
  const named = fields.slice(0, MAX_NAMED).map(({ field, error }) => `${field}: ${error}`);
  const more = fields.length - named.length;
  return new RequestRefused({
    status: 400,
    body: {
      error: named.join('; ') + (more > 0 ? `; and ${more} more` : ''),
      code: 'request.invalid',
      fields: fields.slice(0, MAX_FIELDS),
    },
  });
}

function refusedFields(issue: Issue, above: readonly PropertyKey[], name: string): RefusedField[] {
  const path = [...above, ...issue.path];
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({ field: nameOf([...path, key], name), error: 'is not a known field' }));
  }
  const branch = issue.code === 'invalid_union' ? closestBranch(issue.errors) : undefined;
  if (branch) return branch.flatMap((inner) => refusedFields(inner, path, name));
  return [{ field: nameOf(path, name), error: wordsOf(issue) }];
}

// Of `one | one[]` the branch that takes this kind of value, or else the one whose complaints lie deepest, was meant.
function closestBranch(branches: readonly (readonly Issue[])[]): readonly Issue[] | undefined {
  const depth = (branch: readonly Issue[]) => Math.max(...branch.map(depthOf));
  return branches.toSorted(
    (a, b) => Number(isOfOtherKind(a)) - Number(isOfOtherKind(b)) || depth(b) - depth(a) || a.length - b.length,
  )[0];
}

function isOfOtherKind(branch: readonly Issue[]): boolean {
  return branch.some((issue) => issue.code === 'invalid_type' && issue.path.length === 0);
}

function depthOf(issue: Issue): number {
  return issue.path.length + (issue.code === 'unrecognized_keys' ? 1 : 0);
}

function nameOf(path: readonly PropertyKey[], name: string): string {
  return path.length > 0 ? shownName(path.map(String).join('.')) : name;
}

/** A name that came with a request, as a reply repeats it: of any length. */
export function shownName(name: string): string {
  return withHiddenEscaped(name.length > MAX_NAME_CHARS ? `${name.slice(0, MAX_NAME_CHARS).toWellFormed()}…` : name);
}
