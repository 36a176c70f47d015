/** Copying what is there costs next to nothing beside so many entries. */
const MADE_ANEW_AFTER = 10_000;

/**
 * What runs, by the id of its job: a map for what comes and goes by the ten thousand a second. A `Map` that is filled and emptied makes
 * its table anew every few hundred entries, and V8 leaves each old table its entries and a way to the next one: once one of them
 * has grown old, all that was in those behind it stays until the next full collection, and is copied twice on the way there.
 * Here the table holds numbers, a place is emptied when its entry goes, and the map itself is made anew now and then, which no
 * old table leads to.
 */
export class Roll<V> {
  #placeOf = new Map<string, number>();
  #entered = 0;
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
    this.#entered += 1;
    if (this.#entered % MADE_ANEW_AFTER === 0) this.#placeOf = new Map(this.#placeOf);
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
