/** Logs the beginning and the end of a repair of this node's log, and forgets at its end that there was one. C26. */
import { Effect } from "effect"
import type { LogFailed, LogStore } from "../../EventStore/LogStore.ts"
import type { State } from "../core/State.ts"
import { repairProtocol } from "../peers/Handshake.ts"
import type { Transport } from "../peers/Transport.ts"

/** Logs that the log must be repaired, if it must. */
export const begun = ({ log, repairing }: Readonly<State>): Effect.Effect<void> =>
  repairing === undefined
    ? Effect.void
    : Effect.logWarning(
        `This node repairs its log from its peers, behind entry ${log.lastIndex}: until then it does not vote, acknowledge or read`
      )

/** The log holds all that this node may have acknowledged. If the node ends before that is noted, it repairs again. */
export const ended = (
  store: Pick<LogStore["Service"], "repaired">,
  { throughIndex }: { readonly throughIndex: number }
): Effect.Effect<void, LogFailed> =>
  Effect.andThen(
    store.repaired,
    Effect.logInfo(`The log is repaired: peers gave back all entries through ${throughIndex}`)
  )

/** Whether a leader can read that this node repairs. One of an older release would close the link. */
export const isKnownTo = (transport: Pick<Transport["Service"], "connected">, leader: string): boolean =>
  (transport.connected().get(leader)?.protocolMax ?? 0) >= repairProtocol
