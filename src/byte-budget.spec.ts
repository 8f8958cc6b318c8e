import { ByteBudget } from './byte-budget.js';

describe('a budget of bytes', () => {
  it('gives each caller its share and no more, and all together no more than the whole', () => {
    const budget = new ByteBudget(100, 60);
    expect(budget.hasRoom('a', 60)).toBe(true);
    expect(budget.hasRoom('a', 61)).toBe(false);
    budget.take('a', 60);
    expect(budget.hasRoom('a', 1)).toBe(false);
    expect(budget.hasRoom('b', 40)).toBe(true);
    expect(budget.hasRoom('b', 41)).toBe(false);
    budget.giveBack('a', 60);
    expect(budget.hasRoom('b', 60)).toBe(true);
    expect(budget.takenBytes).toBe(0);
  });

  it('keeps a reserve when asked to', () => {
    const budget = new ByteBudget(100, 100);
    budget.take('a', 50);
    expect(budget.hasRoom('b', 31, 20)).toBe(false);
    expect(budget.hasRoom('b', 30, 20)).toBe(true);
  });
});
