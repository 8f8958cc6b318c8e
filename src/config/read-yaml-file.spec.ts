import { parseYamlMapping } from './read-yaml-file.js';

describe('parseYamlMapping', () => {
  const warnings = jest.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
  afterAll(() => warnings.mockRestore());

  it.each([
    ['!vault hunter2', 'webhook_auth_key has a tag at line 2'],
    ['!!int 4815162342', 'webhook_auth_key has a tag at line 2'],
    ['!env HUNTER2', 'webhook_auth_key has a tag at line 2'],
    ['!!binary aHVudGVyMg==', 'webhook_auth_key has a tag at line 2'],
    ['[whsec_1, !vault hunter2]', 'webhook_auth_key has a tag at line 2'],
    ['{ from: !vault hunter2 }', 'webhook_auth_key has a tag at line 2'],
    ['!!set { hunter2 }', 'webhook_auth_key has a tag at line 2'],
    ['"hunter2', 'a closing quote or bracket'],
    ['*hunter2', 'an alias has no anchor'],
    ['|hunter2', 'at line 2'],
    ['>9hunter2', 'at line 2'],
    ["'it''s' hunter2", 'at line 2'],
    ['"a\\qhunter2"', 'an escape in double quotes'],
    ['"\\uhunter2"', 'an escape in double quotes'],
    ['%hunter2', 'a text begins with a character that needs quotes'],
    ['x\n\thunter2: y', 'at line'],
    ['{hunter2', 'at line 3'],
    ['[a]hunter2', 'at line 2'],
    ['1\n--- hunter2\n--- x', 'more than one document'],
    ['1\nhunter2', 'at line 3'],
  ])('refuses %s, names key and line, and neither says nor prints the value', (value, reason) => {
    const parse = () => parseYamlMapping(`rate_limit: 2\nwebhook_auth_key: ${value}\n`);
    expect(parse).toThrow(reason);
    expect(parse).not.toThrow(/hunter2|4815162342|aHVudGVyMg/i);
    expect(warnings).not.toHaveBeenCalled();
  });

  it('refuses a tag on the whole document and on a key, and a directive that it does not know', () => {
    expect(() => parseYamlMapping('!vault\nrate_limit: 2\n')).toThrow('has a tag at line');
    expect(() => parseYamlMapping('!vault rate_limit: 2\n')).toThrow('has a tag at line 1');
    expect(() => parseYamlMapping('%HUNTER 2\n---\nrate_limit: 2\n')).toThrow('a directive');
    expect(warnings).not.toHaveBeenCalled();
  });

  it.each(['[', '{', '- ', '? ', '{a: ', '[{'])(
    'refuses a text of thousands of %s, which would end the process',
    (unit) => {
      expect(() => parseYamlMapping(unit.repeat(8_000))).toThrow('values are nested deeper than 32 levels');
    },
  );

  it('takes text, lists, mappings and anchors as they are written', () => {
    expect([...parseYamlMapping('a: 0x10\nb: &x [no, 1]\nc: *x\nd: { e: "1" }\n')]).toEqual([
      ['a', '0x10'],
      ['b', ['no', '1']],
      ['c', ['no', '1']],
      ['d', { e: '1' }],
    ]);
  });
});
