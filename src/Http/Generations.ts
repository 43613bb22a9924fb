/**
 * A map of bounded size that forgets the oldest: a full generation replaces the one before it. What somebody puts again is
 * young again. Pure.
 */

/** Values by text, in two generations. */
export class Generations<Value> {
  private young = new Map<string, Value>()
  private old = new Map<string, Value>()
  private readonly maxCount: number

  /** A generation holds `maxCount` values. */
  constructor(maxCount: number) {
    this.maxCount = maxCount
  }

  get(key: string): Value | undefined {
    return this.young.get(key) ?? this.old.get(key)
  }

  put(key: string, value: Value): void {
    if (this.young.size >= this.maxCount && !this.young.has(key)) {
      this.old = this.young
      this.young = new Map()
    }
    this.young.set(key, value)
  }

  /** At most two generations. */
  get size(): number {
    return this.young.size + this.old.size
  }
}
