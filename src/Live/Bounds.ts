/** The bounds of live queries on one node. A live query beyond one of them is refused as overloaded. */

/** The most streams, each with one live query or several. */
export const streamsMaxCount = 1024
/** The most live queries on all streams. */
export const queriesMaxCount = 4096
/** The most live queries on one stream. */
export const queriesOfStreamMaxCount = 64
/** The most different queries of one model that compare no field with `eq` or `in`: each change is checked against all. */
export const unbucketedMaxCount = 256
/** The most memory of all windows and of what readers have, as {@link rowBytes} and {@link shownBytes} count it. */
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
