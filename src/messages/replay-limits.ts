/** So many of the messages that PostgreSQL refuses to change are named in an answer. */
export const REFUSED_IDS_MAX = 100;
