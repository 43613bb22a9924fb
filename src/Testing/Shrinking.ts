/**
 * A long list of acts that fails, cut down to a short one that fails the same way: whole chunks are left out, then
 * smaller ones, down to single acts, until none can be missed. Pure. Zeller & Hildebrandt, "Simplifying and Isolating
 * Failure-Inducing Input", 2002 (ddmin).
 */

/** `fails` says whether a list still fails; at most `attemptsMaxCount` are tried. The order of what stays is kept. */
export const shrink = <A>(
  acts: ReadonlyArray<A>,
  fails: (acts: ReadonlyArray<A>) => boolean,
  { attemptsMaxCount }: { readonly attemptsMaxCount: number }
): ReadonlyArray<A> => {
  let kept = acts
  let attempts = 0
  for (let size = Math.ceil(acts.length / 2); size >= 1; ) {
    const before = kept.length
    // From the end: what happened last mostly matters, and what it does not need goes at once.
    for (let end = kept.length; end > 0 && attempts < attemptsMaxCount; end -= size) {
      const without = [...kept.slice(0, Math.max(0, end - size)), ...kept.slice(end)]
      attempts++
      if (fails(without)) kept = without
    }
    if (attempts >= attemptsMaxCount) return kept
    // What one act needed may have gone after it was tried: single acts are tried until none goes.
    if (size === 1 && kept.length === before) return kept
    size = size === 1 ? 1 : Math.ceil(size / 2)
  }
  return kept
}
