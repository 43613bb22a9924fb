/** What a transcript may expect of its cluster: the words that follow `expect`. Not what it may do (Transcript.ts). */
import type { ConfigurationMember } from "../../../src/Raft/core/Configuration.ts"
import type { Role, State } from "../../../src/Raft/core/State.ts"
import * as Checks from "./TranscriptChecks.ts"
import { type Cluster, linkOf } from "./TranscriptCluster.ts"
import * as Node from "./TranscriptNode.ts"

export type Words = ReadonlyArray<string>

/** The words of a line end before it says what it is about. */
export const wordAt = (words: Words, at: number): string => {
  const word = words[at]
  if (word === undefined) throw new Error(`a word is missing after "${words.join(" ")}"`)
  return word
}

/** What a line says beyond what it means would else pass unnoticed. */
export const noMoreThan = (count: number, words: Words): void => {
  if (words.length > count) throw new Error(`"${words.slice(count).join(" ")}" is too much`)
}

export const nodeOf = ({ nodes }: Cluster, name: string): Node.Node => {
  const node = nodes.get(name)
  if (node === undefined) throw new Error(`no node is named "${name}"`)
  return node
}

/** Names joined by commas, or "all" that are up. */
export const nodesOf = (cluster: Cluster, names: string): ReadonlyArray<Node.Node> =>
  names === "all"
    ? [...cluster.nodes.values()].filter(({ core }) => core !== undefined)
    : names.split(",").map((name) => nodeOf(cluster, name))

/** One word tells of nodes, and the others what each of them is to be. */
const ofNodes =
  (read: (node: Node.Node, core: State) => Words | string) =>
  (cluster: Cluster, words: Words): void => {
    for (const node of nodesOf(cluster, wordAt(words, 0))) {
      if (node.core === undefined) throw new Error(`${node.id} is down`)
      const found = read(node, node.core)
      same(node.id, typeof found === "string" ? [found] : found, words.slice(1))
    }
  }

const same = (of: string, found: Words, expected: Words): void => {
  if (found.join(" ") !== expected.join(" "))
    throw new Error(`of ${of} this was found: ${found.join(" ") || "nothing"}`)
}

const role = (tag: Role["_tag"]) => (cluster: Cluster, words: Words) => {
  noMoreThan(1, words)
  for (const node of nodesOf(cluster, wordAt(words, 0))) same(node.id, [node.core?.role._tag ?? "down"], [tag])
}

const idsOf = (members: ReadonlyArray<ConfigurationMember>): Words => members.map(({ id }) => id)

/** An expected entry that is a bare term stands for any entry of that term. */
const log = (cluster: Cluster, words: Words): void => {
  for (const node of nodesOf(cluster, wordAt(words, 0))) {
    const { entries, firstIndex } = Node.written(node)
    const expected = words.slice(1)
    const skipped = firstIndex === 1 ? [] : [`..${firstIndex - 1}`]
    const found = [...skipped, ...entries.map(Checks.nameOf)]
    const shown = found.map((name, at) => (/^\d+$/.test(expected[at] ?? "") ? name.split(":")[0]! : name))
    same(node.id, shown, expected)
  }
}

const read = ({ reads }: Cluster, [name = "", ...expected]: Words): void => {
  const answer = reads.get(name)?.answer
  if (answer === undefined) throw new Error(`no read is named "${name}"`)
  same(name, typeof answer === "string" ? [answer] : ["ready", "at", `${answer.readIndex}`], expected)
}

const refused = (cluster: Cluster, words: Words): void => {
  same("the request", [cluster.refusal ?? "accepted"], words)
  cluster.refusal = undefined
}

const silence = (cluster: Cluster, words: Words): void => {
  noMoreThan(1, words)
  const from = words[0] === undefined ? undefined : nodeOf(cluster, words[0]).id
  const said = cluster.wire.filter((sent) => from === undefined || sent.from === from)
  const names = said.map((sent) => `${linkOf(sent)} ${sent.message._tag}`)
  same("the network", names, [])
}

export const expectations: Readonly<Record<string, (cluster: Cluster, words: Words) => void>> = {
  leader: role("Leader"),
  candidate: role("Candidate"),
  precandidate: role("PreCandidate"),
  follower: role("Follower"),
  follows: ofNodes((_, core) => (core.role._tag === "Follower" ? (core.role.leader ?? "nobody") : core.role._tag)),
  term: ofNodes((_, core) => `${core.currentTerm}`),
  vote: ofNodes((_, core) => core.votedFor ?? "nobody"),
  committed: ofNodes((_, core) => `${core.commitIndex}`),
  voters: ofNodes((_, { configuration: { outgoing, voters } }) => [
    ...idsOf(voters),
    ...(outgoing === undefined ? [] : ["leaving", ...idsOf(outgoing)])
  ]),
  learners: ofNodes((_, core) => idsOf(core.configuration.learners)),
  log,
  read,
  refused,
  silence
}
