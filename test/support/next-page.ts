/** The path of the next page, from the `Link` header of the page at `path`, resolved as RFC 8288 has it; null: there is none. */
export function nextPage(path: string, link: string | null): string | null {
  const target = /^<([^>]+)>; rel="next"$/.exec(link ?? '')?.[1];
  if (target === undefined) return null;
  const { pathname, search } = new URL(target, `http://service${path}`);
  return pathname + search;
}
