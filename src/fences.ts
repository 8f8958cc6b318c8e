/**
 * Fences of one job lie within so many: the first owner's is a multiple of it and one, so that the remainder counts the owners.
 */
export const OWNERS_OF_A_JOB = 1_000;

/** Whether a fence, in SQL, is that of an owner of the same job, this one or a former one. */
export const isOfAnOwnerBefore = (fence: string, other: string) =>
  `(${fence} <= ${other} AND ${fence} / ${OWNERS_OF_A_JOB} = ${other} / ${OWNERS_OF_A_JOB})`;
