/**
 * A V8 CPU profile, summed up: where a process spent its time between two moments. Pure.
 * Self time is that of a function without what it calls; total time, with it, counted once where it recurs. What a
 * library, or V8, does for this repository is charged to the innermost function of ours that asked for it.
 */

/** What `--cpu-prof` writes. Times are µs on the monotonic clock. */
export interface CpuProfile {
  readonly nodes: ReadonlyArray<{
    readonly id: number
    readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number }
    readonly children?: ReadonlyArray<number>
  }>
  readonly startTime: number
  readonly samples: ReadonlyArray<number>
  readonly timeDeltas: ReadonlyArray<number>
}

export interface Spent {
  readonly functionName: string
  readonly file: string
  readonly line: number
  selfMicros: number
  totalMicros: number
  /** Of a function of ours: its own and what it had done outside of this repository. */
  chargedMicros: number
  /** What of that is in schemas: decoding, encoding, checks. */
  schemaMicros: number
}

export interface Summary {
  readonly functions: ReadonlyArray<Spent>
  /** Self time by the kind of code. */
  readonly byRoom: ReadonlyMap<string, number>
  /** By the rooms of this repository: what is charged to their functions, and what of that is in schemas. */
  readonly charged: ReadonlyMap<string, { readonly chargedMicros: number; readonly schemaMicros: number }>
  readonly busyMicros: number
  readonly idleMicros: number
}

export const summarize = (
  profile: CpuProfile,
  options: { readonly root: string; readonly fromMicros: number; readonly toMicros: number }
): Summary => {
  const frames = new Map(profile.nodes.map((node) => [node.id, node]))
  const parents = new Map(profile.nodes.flatMap((node) => (node.children ?? []).map((child) => [child, node.id])))
  const functions = new Map<string, Spent>()
  const byNode = new Map<number, Spent>()
  for (const { callFrame, id } of profile.nodes) {
    const file = fileOf(callFrame.url, options.root)
    const functionName = callFrame.functionName === "" ? "(anonymous)" : callFrame.functionName
    const line = callFrame.lineNumber + 1
    const key = `${functionName} ${file} ${line}`
    const spent = functions.get(key) ?? {
      functionName,
      file,
      line,
      selfMicros: 0,
      totalMicros: 0,
      chargedMicros: 0,
      schemaMicros: 0
    }
    functions.set(key, spent)
    byNode.set(id, spent)
  }

  let atMicros = profile.startTime
  let busyMicros = 0
  let idleMicros = 0
  for (const [position, sample] of profile.samples.entries()) {
    atMicros += profile.timeDeltas[position] ?? 0
    // A sample stands for the time until the next one.
    const micros = Math.max(0, profile.timeDeltas[position + 1] ?? 0)
    if (atMicros < options.fromMicros || atMicros >= options.toMicros) continue
    if (frames.get(sample)?.callFrame.functionName === "(idle)") {
      idleMicros += micros
      continue
    }
    busyMicros += micros
    const own = byNode.get(sample)
    if (own !== undefined) own.selfMicros += micros
    const seen = new Set<Spent>()
    let isCharged = false
    let isInSchema = false
    for (let id: number | undefined = sample; id !== undefined; id = parents.get(id)) {
      const spent = byNode.get(id)
      if (spent === undefined || seen.has(spent)) continue
      seen.add(spent)
      spent.totalMicros += micros
      if (isCharged) continue
      isCharged = isOurs(spent.file)
      isInSchema ||= isOfSchemas(spent.file)
      if (!isCharged) continue
      spent.chargedMicros += micros
      if (isInSchema) spent.schemaMicros += micros
    }
  }
  const byRoom = new Map<string, number>()
  for (const { file, functionName, selfMicros } of functions.values()) {
    const room = roomOf(file, functionName)
    byRoom.set(room, (byRoom.get(room) ?? 0) + selfMicros)
  }
  const charged = new Map<string, { readonly chargedMicros: number; readonly schemaMicros: number }>()
  for (const { chargedMicros, file, functionName, schemaMicros } of functions.values()) {
    if (!isOurs(file)) continue
    const room = roomOf(file, functionName)
    const before = charged.get(room) ?? { chargedMicros: 0, schemaMicros: 0 }
    charged.set(room, {
      chargedMicros: before.chargedMicros + chargedMicros,
      schemaMicros: before.schemaMicros + schemaMicros
    })
  }
  return { functions: [...functions.values()], byRoom, charged, busyMicros, idleMicros }
}

const isOurs = (file: string): boolean => file.startsWith("src/") || file.startsWith("examples/")

const isOfSchemas = (file: string): boolean =>
  /^effect\/dist\/(Schema|ChannelSchema|StandardSchema|internal\/schema\/)/.test(file)

const fileOf = (url: string, root: string): string => {
  if (url === "") return "native"
  const path = url.replace(/^file:\/\//, "")
  const inPackage = path.lastIndexOf("node_modules/")
  if (inPackage >= 0) return path.slice(inPackage + "node_modules/".length)
  return path.startsWith(root) ? path.slice(root.length) : path
}

const roomOf = (file: string, functionName: string): string => {
  if (functionName === "(garbage collector)") return "garbage collector"
  if (file === "native") return "native: system calls, V8"
  if (file.startsWith("node:")) return "Node's own JavaScript"
  const [first = "", second = ""] = file.split("/")
  if (first === "src") return second.endsWith(".ts") ? "src" : `src/${second}`
  return first.startsWith("@") ? `${first}/${second}` : first
}
