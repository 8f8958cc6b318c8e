import { textSchema } from './static-values.js';
import { isHostName, normalHost } from './webhook-allow.js';

/** `dispatcher.example.com,api.example.com`: names that browsers may call the service by. In lower case, without a dot at the end. */
export const hostNames = textSchema(
  'must be a list of host names without ports, such as dispatcher.example.com,api.example.com',
  (text): readonly string[] | undefined => {
    const names = text.split(',').map((item) => normalHost(item.trim()));
    return names.every(isHostName) ? Object.freeze(names) : undefined;
  },
);
