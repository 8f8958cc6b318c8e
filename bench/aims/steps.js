import { playRound } from '../contenders/drive.js';
import { openArena } from '../support/arena.js';
import { figure, spread } from '../support/numbers.js';

const WARM_UP = 10_000;

const STEPS = {
  'bare-loop': 'bare undici loop',
  'job-alone': 'the job without PostgreSQL and Redis',
  'job-with-receipts': 'the job with receipts in Redis',
  product: 'the service: claims and outcomes in PostgreSQL as well',
};

/**
 * What each part of a message's way costs: from the bare loop to the whole service, one part more in each step. All send
 * the same backlog in turn, each in a process of its own.
 * @param {import('../support/stage.js').Stage} stage
 * @param {{ messages: number, rounds: number }} options
 */
export async function measureSteps(stage, { messages, rounds }) {
  const arena = await openArena(stage);
  const steps = Object.keys(STEPS);
  const rates = new Map(steps.map((step) => [step, /** @type {number[]} */ ([])]));
  const cpuUs = new Map(steps.map((step) => [step, /** @type {number[]} */ ([])]));
  for (let round = 0; round < rounds; round += 1) {
    for (const step of steps) {
      const { seconds, cpuSeconds } = await playRound(arena, step, messages, WARM_UP);
      rates.get(step)?.push(messages / seconds);
      cpuUs.get(step)?.push((cpuSeconds * 1e6) / messages);
    }
  }
  const bare = spread(rates.get('bare-loop') ?? []).median;
  return Object.entries(STEPS).map(([step, title]) => {
    const { median, min, max } = spread(rates.get(step) ?? []);
    const us = spread(cpuUs.get(step) ?? []).median;
    const note = `${figure(median)}/s (${figure(min)} to ${figure(max)}), ${figure(us, 1)} µs of the process's processor time per message`;
    return { what: `${title} ÷ bare loop`, value: median / bare, note };
  });
}
