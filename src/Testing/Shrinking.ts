/**
 * Shortens a failing list of acts to one that fails the same way: it leaves out all acts of one kind, then chunks, then
 * smaller ones, down to single acts, until the failure needs every act. Pure. Zeller & Hildebrandt,
 * "Simplifying and Isolating Failure-Inducing Input", 2002 (ddmin).
 */

export interface Shrinking<A> {
  /** Whether a list still fails, in the same way. */
  readonly fails: (acts: ReadonlyArray<A>) => boolean
  /** The kinds of an act: all acts of one kind may be needless at once. */
  readonly kindsOf: (act: A) => ReadonlyArray<string>
  readonly attemptsMaxCount: number
}

/** The remaining acts keep their order. */
export const shrink = <A>(
  acts: ReadonlyArray<A>,
  { attemptsMaxCount, fails, kindsOf }: Shrinking<A>
): ReadonlyArray<A> => {
  let kept = acts
  let attempts = 0
  const isShorter = (some: ReadonlyArray<A>): void => {
    if (some.length === kept.length || attempts >= attemptsMaxCount) return
    attempts++
    if (fails(some)) kept = some
  }
  for (const kind of new Set(acts.flatMap(kindsOf))) isShorter(kept.filter((act) => !kindsOf(act).includes(kind)))
  for (let size = Math.ceil(kept.length / 2); size >= 1 && attempts < attemptsMaxCount; ) {
    const before = kept.length
    // From the end: the last acts mostly matter, and the acts that they do not need go at once.
    for (let end = kept.length; end > 0; end -= size) {
      isShorter([...kept.slice(0, Math.max(0, end - size)), ...kept.slice(end)])
    }
    // An act may become needless after another has gone: it tries single acts until none goes.
    if (size === 1 && kept.length === before) break
    size = size === 1 ? 1 : Math.ceil(size / 2)
  }
  return kept
}
