/**
 * Who waits for which entry. Pure. An entry is known by (index, term): an entry of another term committed at the index
 * is the one proof that the awaited entry is not, and never will be; a truncated log proves nothing (Raft Fig. 8).
 */
import { invariant } from "../../Invariant.ts"

/** The entries proposed here whose outcome somebody waits for. Bounded by the proposals that a leader admits. */
export interface Waiters<A> {
  readonly byIndex: Map<number, Array<{ readonly term: number; readonly waiter: A }>>
}

/** No one waits. */
export const make = <A>(): Waiters<A> => ({ byIndex: new Map() })

/** `waiter` waits for the entry of `term` at `index`. */
export const add = <A>(waiters: Waiters<A>, at: { readonly index: number; readonly term: number }, waiter: A): void => {
  const there = waiters.byIndex.get(at.index) ?? []
  invariant(!there.some((other) => other.term === at.term), "two proposals were given one index and term")
  waiters.byIndex.set(at.index, [...there, { term: at.term, waiter }])
}

/** Called as each entry is applied: those who waited for this one, and those who now know that theirs is not done. */
export const settle = <A>(
  waiters: Waiters<A>,
  at: { readonly index: number; readonly term: number }
): { readonly done: ReadonlyArray<A>; readonly notDone: ReadonlyArray<A> } => {
  const there = waiters.byIndex.get(at.index)
  if (there === undefined) return { done: [], notDone: [] }
  waiters.byIndex.delete(at.index)
  return {
    done: there.filter((entry) => entry.term === at.term).map((entry) => entry.waiter),
    notDone: there.filter((entry) => entry.term !== at.term).map((entry) => entry.waiter)
  }
}

/** This node stopped: all who wait, none of whom will be told by it. */
export const drain = <A>(waiters: Waiters<A>): ReadonlyArray<A> => {
  const all = [...waiters.byIndex.values()].flatMap((there) => there.map(({ waiter }) => waiter))
  waiters.byIndex.clear()
  return all
}

/** `waiter` gave up: its deadline passed, and its outcome is unknown. */
export const remove = <A>(waiters: Waiters<A>, index: number, waiter: A): void => {
  const rest = (waiters.byIndex.get(index) ?? []).filter((entry) => entry.waiter !== waiter)
  if (rest.length === 0) waiters.byIndex.delete(index)
  else waiters.byIndex.set(index, rest)
}
