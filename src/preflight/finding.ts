/** Something about a database that keeps the service from using it, or that its operator should know. */
export interface Finding {
  /** An obstacle stops a migration before it changes anything, or the sending. */
  readonly level: 'obstacle' | 'warning';
  /** What was found, at which object: a sentence without its full stop. */
  readonly text: string;
  /** What to do about it, or what follows when nothing is done. */
  readonly cure: string;
}

export const obstacle = (text: string, cure: string): Finding => ({ level: 'obstacle', text, cure });

export const warning = (text: string, cure: string): Finding => ({ level: 'warning', text, cure });

export const lineOf = ({ text, cure }: Finding): string => `${text}. ${cure}`;

/** One message with everything that is in the way. */
export function obstaclesText(opening: string, obstacles: readonly Finding[]): string {
  return `${opening}:\n${obstacles.map((found) => `  - ${lineOf(found)}`).join('\n')}`;
}
