import { Places } from '../places.ts';

/** Copying what is there costs next to nothing beside so many entries. */
const MADE_ANEW_AFTER = 10_000;

/**
 * What runs, by the id of its job: a map for what comes and goes by the ten thousand a second. Its table holds numbers of places
 * (places.ts), and is made anew now and then, which no old table leads to.
 */
export class Roll<V> {
  #placeOf = new Map<string, number>();
  #entered = 0;
  readonly #places = new Places<V>();

  get size(): number {
    return this.#placeOf.size;
  }

  get(id: string): V | undefined {
    const place = this.#placeOf.get(id);
    return place === undefined ? undefined : this.#places.get(place);
  }

  set(id: string, value: V): void {
    const known = this.#placeOf.get(id);
    if (known !== undefined) {
      this.#places.replace(known, value);
      return;
    }
    this.#placeOf.set(id, this.#places.add(value));
    this.#entered += 1;
    if (this.#entered % MADE_ANEW_AFTER === 0) this.#placeOf = new Map(this.#placeOf);
  }

  delete(id: string): void {
    const place = this.#placeOf.get(id);
    if (place === undefined) return;
    this.#placeOf.delete(id);
    this.#places.empty(place);
  }

  values(): V[] {
    return this.#places.values();
  }
}
