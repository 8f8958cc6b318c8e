/** A text made of another one, its source: each of its UTF-16 units knows which part of the source it stands for. */
export class MappedText {
  private constructor(
    readonly text: string,
    /** null: every unit stands for itself. */
    private readonly starts: readonly number[] | null,
    private readonly ends: readonly number[] | null,
  ) {}

  static of(source: string): MappedText {
    return new MappedText(source, null, null);
  }

  static build(fill: (builder: MappedTextBuilder) => void): MappedText {
    const builder = new MappedTextBuilder();
    fill(builder);
    return new MappedText(builder.parts.join(''), builder.starts, builder.ends);
  }

  /** Where the part of the source begins that the unit at `index` stands for. */
  startOf(index: number): number {
    return this.starts === null ? index : (this.starts[index] ?? 0);
  }

  /** Where it ends. */
  endOf(index: number): number {
    return this.ends === null ? index + 1 : (this.ends[index] ?? 0);
  }
}

export class MappedTextBuilder {
  readonly parts: string[] = [];
  readonly starts: number[] = [];
  readonly ends: number[] = [];

  /** Appends `part`, all of which stands for the source from `start` to `end`. */
  append(part: string, start: number, end: number): void {
    this.parts.push(part);
    for (let unit = 0; unit < part.length; unit += 1) {
      this.starts.push(start);
      this.ends.push(end);
    }
  }

  /** Appends the units of `from` between two indexes as they are. */
  copy(from: MappedText, start: number, end: number): void {
    if (start >= end) return;
    this.parts.push(from.text.slice(start, end));
    for (let index = start; index < end; index += 1) {
      this.starts.push(from.startOf(index));
      this.ends.push(from.endOf(index));
    }
  }
}
