/**
 * What runs, by the id of its job: a map for what comes and goes by the ten thousand a second. A `Map` that is filled and emptied makes
 * its table anew every few hundred entries, and V8 leaves each old table its entries and a way to the next one: once one of them
 * has grown old, all that was in those behind it stays until the next full collection, and is copied twice on the way there.
 * Here the table holds numbers, and a place is emptied when its entry goes.
 */
export class Roll<V> {
  readonly #placeOf = new Map<string, number>();
  readonly #places: (V | undefined)[] = [];
  readonly #free: number[] = [];

  get size(): number {
    return this.#placeOf.size;
  }

  get(id: string): V | undefined {
    const place = this.#placeOf.get(id);
    return place === undefined ? undefined : this.#places[place];
  }

  set(id: string, value: V): void {
    const place = this.#placeOf.get(id) ?? this.#free.pop() ?? this.#places.length;
    this.#placeOf.set(id, place);
    this.#places[place] = value;
  }

  delete(id: string): void {
    const place = this.#placeOf.get(id);
    if (place === undefined) return;
    this.#placeOf.delete(id);
    this.#places[place] = undefined;
    this.#free.push(place);
  }

  values(): V[] {
    return this.#places.filter((value) => value !== undefined);
  }
}
