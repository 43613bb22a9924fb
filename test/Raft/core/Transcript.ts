/**
 * Runs a transcript: a story of a cluster in plain text, which drives the pure core step by step. Each step is checked
 * for what must always hold (TranscriptChecks.ts). Nothing moves unless the story says so: no message, no clock.
 *
 * The first line is the title; `#` begins a comment. NODE is a name, NODES are names joined by commas, or `all` that
 * are up; LINK is one direction, as 1→2.
 *
 *   cluster NODE...              voters with empty logs, up; `with leases` at the end lets leaders have leases
 *   join NODE                    an empty node that knows of nobody, up
 *   disk NODE term T log ENTRY...
 *                                starts the node with that disk; an ENTRY is TERM or TERM:TEXT
 *   campaign NODE                its clock alone goes on until it asks for votes
 *   tick NODES MS                their clocks alone go on, and nothing arrives
 *   sleep NODE MS                its process stands still: the clock goes on, and it does not see it
 *   run MS                       time passes everywhere, and whatever is said arrives
 *   deliver all                  whatever is on its way, and what is said in answer, but on links that are held
 *   deliver LINK... [KIND]       what is on these links now; answers wait. KIND is a message's name, or `next` for one
 *   drop LINK... [KIND]          the same is lost
 *   copy LINK... [KIND]          the network keeps a copy, which arrives with `deliver copies`
 *   hold LINK... / release LINK...
 *   cut LINK... / isolate NODE / heal
 *   crash NODE                   what was not synced is lost
 *   restart NODE                 from its disk
 *   wipe NODE                    crashed, and its data directory is lost; `restart` makes a new one
 *   slow NODE / persist NODE     writes wait to be synced / are synced now, and go on waiting after
 *   stall NODE                   the shell says that a write is overdue
 *   propose NODE TEXT            one entry, decided on the node's log
 *   read NODE as NAME [leased]   a linearizable read
 *   snapshot NODE                of what it has applied
 *   ask NODE add NODE [to vote] | promote NODE | remove NODE | voters NODE... | transfer [NODE]
 *   expect leader|candidate|precandidate|follower NODES
 *   expect follows|vote NODES NODE|nobody
 *   expect term|committed NODES NUMBER
 *   expect log NODES ENTRY...    of a log without its beginning, the first is `..INDEX`, the last that is gone
 *   expect voters NODES NODE... [leaving NODE...]
 *   expect learners NODES [NODE...]
 *   expect read NAME waiting | refused | ready at INDEX
 *   expect refused REASON        of the step before; a refusal that is not expected is an error
 *   expect silence [NODE]        nothing (of the node) is on its way
 */
import { empty } from "../../../src/Raft/core/Configuration.ts"
import type { MembershipChange } from "../../../src/Raft/core/MembershipChange.ts"
import { configurationOf, payload } from "./Cores.ts"
import * as Cluster from "./TranscriptCluster.ts"
import { expectations, nodeOf, nodesOf, noMoreThan, type Words, wordAt } from "./TranscriptExpectations.ts"
import * as Node from "./TranscriptNode.ts"

/** The title of a transcript: its first line, a comment. */
export const titleOf = (text: string): string => {
  const [, title] = /^# (.+)/.exec(text) ?? []
  if (title === undefined) throw new Error("a transcript begins with its title, as a comment")
  return title
}

/** Runs a story to its end. Whatever goes wrong names the file and the line. */
export const runTranscript = (file: string, text: string): void => {
  const cluster = Cluster.make()
  for (const [at, line] of text.split("\n").entries()) {
    const words = line
      .replace(/#.*/, "")
      .split(/\s+/)
      .filter((word) => word !== "")
    try {
      if (words.length > 0) runStep(cluster, words)
    } catch (error) {
      throw new Error(`${file}:${at + 1}: ${line.trim()}: ${error instanceof Error ? error.message : error}`)
    }
  }
  checkRefusal(cluster)
}

const runStep = (cluster: Cluster.Cluster, [verb = "", ...words]: Words): void => {
  if (verb === "expect") {
    const [what = "", ...rest] = words
    find(expectations, `expect ${what}`, what)(cluster, rest)
    return
  }
  checkRefusal(cluster)
  find(steps, verb, verb)(cluster, words)
}

const find = <A>(table: Readonly<Record<string, A>>, said: string, word: string): A => {
  const found = Object.hasOwn(table, word) ? table[word] : undefined
  if (found === undefined) throw new Error(`"${said}" is no word of this language`)
  return found
}

const checkRefusal = ({ refusal }: Cluster.Cluster): void => {
  if (refusal !== undefined) throw new Error(`the step before was refused: ${refusal}`)
}

type Step = (cluster: Cluster.Cluster, words: Words) => void

/** A step of so many words at most. */
const ofWords =
  (count: number, step: Step): Step =>
  (cluster, words) => {
    noMoreThan(count, words)
    step(cluster, words)
  }

/** A step that is about one node, and says no more. */
const atNode = (act: (cluster: Cluster.Cluster, node: Node.Node) => void): Step =>
  ofWords(1, (cluster, words) => act(cluster, nodeOf(cluster, wordAt(words, 0))))

/** A step that says what one node is to do. */
const forNode =
  (act: (cluster: Cluster.Cluster, node: Node.Node, words: Words) => void): Step =>
  (cluster, words) =>
    act(cluster, nodeOf(cluster, wordAt(words, 0)), words.slice(1))

/** These links, of nodes that are there. */
const linksOf = (cluster: Cluster.Cluster, words: Words): Words => {
  for (const word of words) {
    const ends = word.split("→")
    if (ends.length !== 2) throw new Error(`"${word}" is no link, as 1→2 is`)
    for (const end of ends) nodeOf(cluster, end)
  }
  return words
}

/** A step that is about what is on its way on links; it must find something there. */
const onLinks =
  (act: (cluster: Cluster.Cluster, chosen: ReadonlyArray<Cluster.Sent>) => void): Step =>
  (cluster, words) => {
    const [kind, ...others] = words.filter((word) => !word.includes("→"))
    noMoreThan(0, others)
    const isNext = kind === "next"
    for (const link of linksOf(
      cluster,
      words.filter((word) => word.includes("→"))
    )) {
      const sent = cluster.wire.filter((each) => Cluster.linkOf(each) === link)
      const chosen = isNext ? sent.slice(0, 1) : sent.filter(({ message }) => message._tag === (kind ?? message._tag))
      if (chosen.length === 0) throw new Error(`nothing of the kind is on its way ${link}`)
      act(cluster, chosen)
    }
  }

const msOf = (word: string): number => {
  const [, ms] = /^(\d+)ms$/.exec(word) ?? []
  if (ms === undefined) throw new Error(`"${word}" is no time, as 300ms is`)
  return Number(ms)
}

const cluster: Step = (cluster, words) => {
  const isLeased = words.join(" ").endsWith(" with leases")
  const names = isLeased ? words.slice(0, -2) : words
  const config = isLeased ? { readLease: {} } : {}
  for (const name of names) add(cluster, { id: name, config, formedWith: configurationOf(names) })
  for (const node of cluster.nodes.values()) Cluster.start(cluster, node)
}

const add = ({ nodes }: Cluster.Cluster, options: Pick<Node.Node, "id" | "config" | "formedWith">): Node.Node => {
  const node = Node.make({ ...options, seat: nodes.size + 1 })
  nodes.set(node.id, node)
  return node
}

const join = ofWords(1, (cluster, words) =>
  Cluster.start(cluster, add(cluster, { id: wordAt(words, 0), config: {}, formedWith: empty }))
)

const disk = (cluster: Cluster.Cluster, node: Node.Node, words: Words): void => {
  const [termWord, term = "", logWord, ...log] = words
  if (termWord !== "term" || logWord !== "log") throw new Error("a disk is: disk NODE term T log ENTRY...")
  const entries = log.map((word, position) => {
    const [entryTerm = "", text = "x"] = word.split(":")
    return { index: position + 1, term: termOf(entryTerm), type: "transaction" as const, payload: payload(text) }
  })
  node.disk = { ...Node.nothing, hardState: { currentTerm: termOf(term), votedFor: undefined }, entries }
  Cluster.start(cluster, node)
}

const termOf = (word: string): number => {
  if (!/^\d+$/.test(word)) throw new Error(`"${word}" is no term`)
  return Number(word)
}

const campaign = (cluster: Cluster.Cluster, node: Node.Node): void => {
  const before = node.core?.role
  const isOver = () =>
    node.core?.role !== before && (node.core?.role._tag === "PreCandidate" || node.core?.role._tag === "Candidate")
  const timeoutMs = node.core?.config.electionTimeoutMaxMs ?? 0
  Cluster.tick(cluster, node, timeoutMs, isOver)
  if (!isOver()) throw new Error(`${node.id} does not campaign within an election timeout`)
}

const propose = (cluster: Cluster.Cluster, node: Node.Node, words: Words): void => {
  const { core } = node
  if (core === undefined) throw new Error(`${node.id} is down`)
  const entries = [{ type: "transaction" as const, payload: payload(wordAt(words, 0)) }]
  const proposed = { _tag: "Propose" as const, term: core.currentTerm, lastIndex: core.log.lastIndex, entries }
  noteRefusal(cluster, Cluster.feed(cluster, node, proposed)?.proposal)
}

const read = (cluster: Cluster.Cluster, node: Node.Node, [as, name = "", leased]: Words): void => {
  const isSaid = as === "as" && name !== "" && (leased === undefined || leased === "leased")
  if (!isSaid) throw new Error("a read is: read NODE as NAME [leased]")
  const id = cluster.reads.size + 1
  cluster.reads.set(name, { id, atLeastIndex: cluster.seen.committedIndex, answer: "waiting" })
  Cluster.feed(cluster, node, { _tag: "Read", readIds: [id], mayLease: leased === "leased" })
}

const noteRefusal = (
  cluster: Cluster.Cluster,
  result: { readonly _tag: string; readonly reason?: string } | undefined
): void => {
  if (result === undefined) throw new Error("nobody is there to ask")
  if (result._tag === "Refused") cluster.refusal = result.reason
}

const ask = (cluster: Cluster.Cluster, node: Node.Node, words: Words): void => {
  if (words[0] === "transfer") {
    const to = words[1]
    const order = { _tag: "TransferLeadership" as const, ...(to === undefined ? {} : { to }) }
    noteRefusal(cluster, Cluster.feed(cluster, node, order)?.transfer)
    return
  }
  const change = changeOf(cluster, words)
  const requestId = cluster.nextRequestId++
  noteRefusal(cluster, Cluster.feed(cluster, node, { _tag: "ChangeMembership", requestId, change })?.membership)
}

const changeOf = (cluster: Cluster.Cluster, [verb, ...words]: Words): MembershipChange => {
  switch (verb) {
    case "add": {
      const { id, instanceId } = nodeOf(cluster, wordAt(words, 0))
      const toVote = words.slice(1).join(" ")
      if (toVote !== "" && toVote !== "to vote") throw new Error(`to add is: add NODE [to vote]`)
      return {
        _tag: "AddLearner",
        member: { id, address: `${id}:1`, instanceId },
        autoPromote: toVote !== ""
      }
    }
    case "promote":
      return { _tag: "Promote", id: wordAt(words, 0) }
    case "remove":
      return { _tag: "Remove", id: wordAt(words, 0) }
    case "voters":
      return { _tag: "ReplaceVoters", voters: words }
    default:
      throw new Error(`"ask NODE ${verb}" is nothing that can be asked`)
  }
}

const steps: Readonly<Record<string, Step>> = {
  cluster,
  join,
  disk: forNode(disk),
  campaign: atNode(campaign),
  tick: ofWords(2, (cluster, words) => {
    for (const node of nodesOf(cluster, wordAt(words, 0))) Cluster.tick(cluster, node, msOf(wordAt(words, 1)))
  }),
  sleep: ofWords(2, (cluster, words) => {
    nodeOf(cluster, wordAt(words, 0)).clockMs += msOf(wordAt(words, 1))
  }),
  run: ofWords(1, (cluster, words) => Cluster.run(cluster, msOf(wordAt(words, 0)))),
  deliver: (cluster, words) => {
    if (words.join(" ") === "all") Cluster.settle(cluster)
    else if (words.join(" ") === "copies") Cluster.deliver(cluster, cluster.copies.splice(0))
    else onLinks(Cluster.deliver)(cluster, words)
  },
  drop: onLinks(Cluster.drop),
  copy: onLinks(({ copies }, chosen) => copies.push(...chosen)),
  hold: (cluster, words) => {
    for (const link of linksOf(cluster, words)) cluster.held.add(link)
  },
  release: (cluster, words) => {
    for (const link of linksOf(cluster, words)) cluster.held.delete(link)
  },
  cut: (cluster, words) => {
    const links = linksOf(cluster, words)
    Cluster.cut(cluster, (link) => links.includes(link))
  },
  isolate: atNode((cluster, { id }) => Cluster.cut(cluster, (link) => link.split("→").includes(id))),
  heal: ofWords(0, ({ cut }) => cut.clear()),
  crash: atNode((_, node) => {
    node.core = undefined
  }),
  restart: atNode(Cluster.start),
  wipe: atNode((_, node) => Node.wipe(node)),
  slow: atNode((_, node) => {
    node.isSlow = true
  }),
  persist: atNode(Cluster.persist),
  stall: atNode((cluster, node) => {
    Cluster.feed(cluster, node, { _tag: "DiskStalled" })
  }),
  propose: forNode(propose),
  read: forNode(read),
  snapshot: atNode(Cluster.takeSnapshot),
  ask: forNode(ask)
}
