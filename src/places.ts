/**
 * What comes and goes by the ten thousand a second: each in a place that is emptied when it goes. A `Set` or a `Map` that is
 * filled and emptied makes its table anew every few hundred entries, and V8 leaves each old table its entries and a way to the next
 * one: once one of them has grown old, all that was in those behind it stays until the next full collection, and is copied
 * twice on the way there.
 */
export class Places<V> {
  readonly #places: (V | undefined)[] = [];
  readonly #free: number[] = [];

  /** Answers its place. */
  add(value: V): number {
    const place = this.#free.pop() ?? this.#places.length;
    this.#places[place] = value;
    return place;
  }

  get(place: number): V | undefined {
    return this.#places[place];
  }

  replace(place: number, value: V): void {
    this.#places[place] = value;
  }

  /** Once for each place that was answered. */
  empty(place: number): void {
    this.#places[place] = undefined;
    this.#free.push(place);
  }

  values(): V[] {
    return this.#places.filter((value) => value !== undefined);
  }
}
