/** What the project wants of its figures (issue 11), and how far they are from it. Pure. */
import { type Figure, medianOf, ratiosOf, type Sample, type Step } from "./Sample.ts"
import { median, short, table } from "./Statistics.ts"

export interface Target {
  readonly step: Step
  readonly system: string
  readonly figure: Figure
  /** The figure is a ratio to this system's in the same run. */
  readonly to?: string
  /** The figure is a ratio to this request's of the same system. */
  readonly toWhat?: string
  readonly atLeast?: number
  readonly atMost?: number
}

export interface Verdict {
  readonly found: number
  readonly isMet: boolean
  /** How far the figure is on the wrong side, as a share of the target; 0 if it is met. */
  readonly missedBy: number
}

/** Nothing if it was not measured. */
export const judge = (samples: ReadonlyArray<Sample>, target: Target): Verdict | undefined => {
  const { atLeast, atMost, figure, step, system, to, toWhat } = target
  const found =
    to !== undefined
      ? median(ratiosOf(samples, step, { of: system, to }, figure))
      : toWhat !== undefined
        ? medianOf(samples, step, system, figure) / medianOf(samples, { ...step, what: toWhat }, system, figure)
        : medianOf(samples, step, system, figure)
  if (!Number.isFinite(found)) return undefined
  const short = atLeast === undefined ? 0 : (atLeast - found) / atLeast
  const over = atMost === undefined ? 0 : atMost === 0 ? found : (found - atMost) / atMost
  const missedBy = Math.max(0, short, over)
  return { found, isMet: missedBy === 0, missedBy }
}

/** All targets that were measured. */
export const verdicts = (samples: ReadonlyArray<Sample>, targets: ReadonlyArray<Target>): string | undefined => {
  const rows = targets.flatMap((target) => {
    const verdict = judge(samples, target)
    if (verdict === undefined) return []
    const { atLeast, atMost, figure, step, system, to, toWhat } = target
    const of = to === undefined ? (toWhat === undefined ? "" : `, of ${toWhat}`) : `, of ${to}'s`
    return [
      [
        `${system}: ${step.what}, ${step.clients}`,
        `${figure}${of}`,
        atLeast === undefined ? `at most ${atMost}` : `at least ${atLeast}`,
        short(verdict.found),
        verdict.isMet ? "met" : `missed by ${Math.round(verdict.missedBy * 100)} %`
      ]
    ]
  })
  return rows.length === 0 ? undefined : table(["measurement, clients", "figure", "target", "found", ""], rows)
}

const toLeader = "writes to the leader"
const plain = "a plain write"
const transfer = "a transfer between accounts"
const many = "Node, 1,000,000 records"
const overload = "4 times the peak, open loop"
const impatient = `${overload}, refused clients ask again at once`

const at = (line: string, what: string, clients: number): Step => ({ line, what, clients })
const beside = (step: Step, figure: Figure, bound: Pick<Target, "atLeast" | "atMost">): Target => ({
  step,
  system: "Node",
  to: "etcd",
  figure,
  ...bound
})

export const targets: ReadonlyArray<Target> = [
  beside(at("writes", toLeader, 1), "p50Ms", { atMost: 1 }),
  ...(
    [
      [16, 1.3],
      [64, 1.5],
      [256, 1.3]
    ] as const
  ).map(([clients, atLeast]) => beside(at("writes", toLeader, clients), "perSecond", { atLeast })),
  ...[1, 16, 64, 256].map((clients) => beside(at("writes", toLeader, clients), "p99Ms", { atMost: 1 })),
  { step: at("writes", toLeader, 64), system: "Node", figure: "leaderMicros", atMost: 90 },
  { step: at("writes", toLeader, 64), system: "Node", figure: "followerMicros", atMost: 25 },
  ...["linearizable reads at the leader", "linearizable reads at a follower"].flatMap((what) =>
    [1, 16, 64, 256].flatMap((clients) => [
      beside(at("reads", what, clients), "perSecond", { atLeast: 2 }),
      beside(at("reads", what, clients), "p99Ms", { atMost: 1 })
    ])
  ),
  ...["Bun", "Deno"].flatMap((system) =>
    [
      ...[1, 16, 64, 256].map((clients) => at("writes", toLeader, clients)),
      ...[1, 16, 64, 256].map((clients) => at("reads", "linearizable reads at the leader", clients))
    ].map((step): Target => ({ step, system, to: "Node", figure: "perSecond", atLeast: 0.8 }))
  ),
  ...["transactions of 3 new records", "batches of 100 new records"].flatMap((what) =>
    [1, 16, 64].map((clients) => beside(at("transactions", what, clients), "perSecond", { atLeast: 1.5 }))
  ),
  ...[1, 16, 64].map(
    (clients): Target => ({
      step: at("transactions", transfer, clients),
      system: "Node",
      figure: "leaderMicros",
      toWhat: plain,
      atMost: 1.3
    })
  ),
  ...(
    [
      [overload, "ofPeak", { atLeast: 0.9 }],
      [overload, "refusalP50Ms", { atMost: 10 }],
      [overload, "elections", { atMost: 0 }],
      [overload, "recoveryMs", { atMost: 500 }],
      [impatient, "ofPeak", { atLeast: 0.9 }],
      [impatient, "elections", { atMost: 0 }],
      [impatient, "recoveryMs", { atMost: 500 }]
    ] as const
  ).map(([what, figure, bound]): Target => ({ step: at("overload", what, 6000), system: "Node", figure, ...bound })),
  ...[1, 64].flatMap((clients) =>
    (["p50Ms", "p99Ms"] as const).map(
      (figure): Target => ({
        step: at("records", toLeader, clients),
        system: many,
        to: "Node, 1,000 records",
        figure,
        atMost: 1.2
      })
    )
  ),
  ...[16, 64].map(
    (clients): Target => ({
      step: at("live", "writes of 1,000 prices", clients),
      system: "Node, 1,000 live queries",
      to: "Node",
      figure: "perSecond",
      atLeast: 0.9
    })
  ),
  { step: at("memory", "just started", 0), system: "Node", figure: "memoryMb", atMost: 150 },
  { step: at("failover", "kill -9 of the leader", 2), system: "Node", figure: "failoverMs", atMost: 456 }
]
