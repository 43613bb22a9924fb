/** Counts what a node answered since it started: all answers by status, and refusals by reason. */
import type { Problem } from "../Problem.ts"

export interface Answers {
  readonly count: (status: number) => void
  /** Counts a problem by its kind, if the node could not do what it was asked. */
  readonly refuse: (problem: Problem) => void
  readonly byStatus: ReadonlyMap<number, number>
  readonly byReason: ReadonlyMap<string, number>
}

/** Statuses that say that the node could not do a request now, and not that the request was wrong. */
const isShortage = (status: number): boolean => status === 429 || status > 500

export const makeAnswers = (): Answers => {
  const byStatus = new Map<number, number>()
  const byReason = new Map<string, number>()
  return {
    byStatus,
    byReason,
    count: (status) => void byStatus.set(status, (byStatus.get(status) ?? 0) + 1),
    refuse: ({ kind, status }) => {
      if (isShortage(status)) byReason.set(kind, (byReason.get(kind) ?? 0) + 1)
    }
  }
}
