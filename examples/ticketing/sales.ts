/** Tickets as rows of SQL on every node, for questions that tables do not answer. */
import { Projection } from "lithair"
import { Ticket } from "./models.ts"

export const sales = Projection.sqlite("sales", {
  from: [Ticket],
  version: 1,
  ddl: "CREATE TABLE tickets (id TEXT PRIMARY KEY, show_id TEXT NOT NULL, holder TEXT NOT NULL)",
  evolve: ({ id, record, type }) =>
    type === "created"
      ? [{ sql: "INSERT INTO tickets VALUES (?, ?, ?)", params: [id, record.showId, record.holder] }]
      : []
})

/** Tickets sold by show, the best first. */
export const bestShows = {
  sql: "SELECT show_id AS showId, count(*) AS sold FROM tickets GROUP BY show_id ORDER BY sold DESC LIMIT 10"
}
