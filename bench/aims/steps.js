import { openArena } from '../support/arena.js';
import { figure } from '../support/numbers.js';
import { playRounds } from './backlog.js';

const STEPS = {
  'bare-loop': 'bare undici loop',
  'job-alone': 'the job without PostgreSQL and Redis',
  'job-with-receipts': 'the job with receipts in Redis',
  'parts-untied': 'the bare loop beside the same claims and outcomes, nothing waiting for anything',
  product: 'the service: claims and outcomes in PostgreSQL as well',
};

/**
 * What each part of a message's way costs: from the bare loop to the whole service, one part more in each step, and what the
 * machine makes of the parts when they are not tied together. All send the same backlog in turn, each in a process of its own.
 * @param {import('../support/stage.js').Stage} stage
 * @param {{ messages: number, rounds: number, warmUp: number }} options
 */
export async function measureSteps(stage, options) {
  const standings = await playRounds(await openArena(stage), STEPS, options);
  const bare = standings.find(({ name }) => name === 'bare-loop')?.median ?? NaN;
  return standings.map(({ title, median, min, max, cpuUsPerMessage, machineCpuUsPerMessage }) => {
    const note = `${figure(median)}/s (${figure(min)} to ${figure(max)}), ${figure(cpuUsPerMessage, 1)} µs of the process's processor time per message, ${figure(machineCpuUsPerMessage, 1)} of the machine's`;
    return { what: `${title} ÷ bare loop`, value: median / bare, note };
  });
}
