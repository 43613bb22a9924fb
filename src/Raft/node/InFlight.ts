/**
 * Things that come and go all the time, each under a number that none had before, in the order in which they came. Owned
 * and synchronous.
 *
 * It is no `Map`, since V8 lets each table of a map that became too small, or too full of holes, point to the next one.
 * Once one table is in the old generation, all that follow live until a full collection, with all that was in them: every
 * request of a leader did, and each short collection copied what should have been dead. docs/decisions/0020-in-flight.md.
 */

interface Link<A> {
  readonly number: number
  /** Undefined once it is removed, as are its neighbours: a dead link must not keep others alive. */
  value: A | undefined
  previous: Link<A> | undefined
  next: Link<A> | undefined
}

export class InFlight<A> {
  /** A plain object: when it grows, nothing points from its former table to the new one. */
  private readonly links: { [number: number]: Link<A> } = {}
  private first: Link<A> | undefined
  private last: Link<A> | undefined
  private count = 0

  get size(): number {
    return this.count
  }

  has(number: number): boolean {
    return this.links[number] !== undefined
  }

  get(number: number): A | undefined {
    return this.links[number]?.value
  }

  /** Adds a thing behind all others, or replaces the one of this number in its place. */
  set(number: number, value: A): void {
    const held = this.links[number]
    if (held !== undefined) {
      held.value = value
      return
    }
    const link: Link<A> = { number, value, previous: this.last, next: undefined }
    if (this.last === undefined) this.first = link
    else this.last.next = link
    this.last = link
    this.links[number] = link
    this.count += 1
  }

  /** Returns whether it was there. */
  delete(number: number): boolean {
    const link = this.links[number]
    if (link === undefined) return false
    delete this.links[number]
    if (link.previous === undefined) this.first = link.next
    else link.previous.next = link.next
    if (link.next === undefined) this.last = link.previous
    else link.next.previous = link.previous
    link.value = undefined
    link.previous = undefined
    link.next = undefined
    this.count -= 1
    return true
  }

  /** All that are there now, in their order. */
  entries(): ReadonlyArray<readonly [number, A]> {
    const all: Array<readonly [number, A]> = []
    for (let link = this.first; link !== undefined; link = link.next) all.push([link.number, link.value as A])
    return all
  }
}
