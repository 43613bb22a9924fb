/** The scopes that are searched to their end: what may happen in each, and how often. Data only. */
import type { Scope } from "./SmallScope.ts"

const leases = { config: { readLease: { driftBoundMs: 0 } }, isLed: true, isDiskInstant: true, termMax: 2 } as const

export const smallScopes: ReadonlyArray<Scope> = [
  { ...leases, name: "leases and an election", beatsMax: 2, inFlightMax: 2 },
  { ...leases, name: "leases and a restart", beatsMax: 2, inFlightMax: 1, crashesMax: 1 },
  { ...leases, name: "leases and a hand-over", beatsMax: 1, inFlightMax: 1, transfersMax: 1 },
  {
    name: "reads of a leader and an election",
    isLed: true,
    isDiskInstant: true,
    termMax: 2,
    beatsMax: 2,
    inFlightMax: 1,
    readsMax: 1,
    at: "a"
  },
  {
    name: "reads of a follower that restarts",
    isLed: true,
    isDiskInstant: true,
    termMax: 1,
    beatsMax: 0,
    inFlightMax: 2,
    readsMax: 2,
    crashesMax: 1,
    proposalsMax: 1,
    at: "b"
  },
  {
    name: "votes, slow disks and a crash",
    isLed: false,
    isDiskInstant: false,
    termMax: 1,
    beatsMax: 2,
    inFlightMax: 1,
    crashesMax: 1,
    at: "a"
  },
  {
    name: "entries and an election",
    isLed: true,
    isDiskInstant: true,
    termMax: 2,
    beatsMax: 2,
    inFlightMax: 1,
    proposalsMax: 1
  },
  {
    name: "entries and slow disks",
    isLed: true,
    isDiskInstant: false,
    termMax: 1,
    beatsMax: 0,
    inFlightMax: 2,
    proposalsMax: 2
  }
]
