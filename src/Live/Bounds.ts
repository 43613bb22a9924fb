/** The bounds of live queries on one node. A live query beyond one of them is refused as overloaded. */

/** The most streams, each with one live query or several. */
export const streamsMaxCount = 1024
/** The most live queries on all streams. */
export const queriesMaxCount = 4096
/** The most live queries on one stream. */
export const queriesOfStreamMaxCount = 64
/** The most different queries of one model that compare no field with `eq` or `in`: each change is checked against all. */
export const unbucketedMaxCount = 256
/** The most memory of all windows and of what readers have, as {@link rowBytes}, {@link shownBytes} and {@link askedBytes} count it. */
export const memoryMaxBytes = 64 * 1024 * 1024
/** The most JSON of one page. A list would cut it there; a live query ends. */
export const pageMaxBytes = 8 * 1024 * 1024
/** Ids of one model that are noted between two evaluations. With more, all queries of the model are listed again. */
export const touchedMaxCount = 4096
/** An `in` of more values than this is checked with each change, as if it had no bucket. */
export const bucketsOfQueryMaxCount = 64

/** The memory of a row in a window, beside its JSON. */
export const rowBytes = 256
/** The memory of a record that a reader has, if the reader lags. */
export const shownBytes = 64
/** The memory of a query that a reader asks for, by each character that names it: a filter may name many values. */
export const askedBytes = 16

/** How long one evaluation may go on before other work has its turn, and how much longer it rests than it has worked. */
export const sliceMs = 1
export const restsPerWork = 24
/** The longest rest, so that a list which takes long does not hold up all others for long. */
export const restMaxMs = 500
/** How often all streams together send at most. With many streams, each of them sends fewer and larger differences. */
export const sendsPerSecondMax = 300
/** The shortest time between two messages of one stream. */
export const sendEveryMinMs = 10
/** A reader hears after so long how far its page is: at least every 15 s, with some time to make and send it. */
export const bookmarkEveryMs = 10_000
/** How long a bookmark waits for a quorum to confirm how old the pages are. */
export const confirmMaxMs = 1_000
