import { messageOf, poster, SOCKETS } from './post.js';

/** No database and no queue: the upper bound of what one process can post. @type {import('./child.js').Open} */
export async function open({ receiverUrl }) {
  const { post, close } = poster(receiverUrl);
  let next = 1;
  return {
    fill: async () => undefined,
    async run(count) {
      const end = next + count;
      const lane = async () => {
        while (next < end) {
          const id = next;
          next += 1;
          await post(messageOf(id));
        }
      };
      await Promise.all(Array.from({ length: SOCKETS }, lane));
    },
    close,
  };
}
