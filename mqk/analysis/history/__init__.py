"""Recorded decisions judged again: what a change of policies would have done to the history of a desk.

What lives here: reading records, asking all rules of guards about them in one query, and what differs. Decisions are
judged one by one, each at the moment that was recorded: what would have followed from another answer is not played.

How it grows. A question is one pass over the rows: a filter, a projection that packs what all rules say of a decision
into whole numbers, and a count by day and pattern. Nothing is joined, sorted or collected. The only exchange is that of
the count, and it moves as many rows as there are days and patterns for each worker, not as there are decisions: some
thousands. So a history that is split by files, or by row groups of 100,000 decisions, is read and judged by each core
on its own, and takes the time of one pass divided by the cores; only the columns that some rule reads are read at all.
On one machine DuckDB does that with all its cores, and puts on disk what a count would not hold in memory. Spark does
the same over many machines: its plan has two stages, a partial count where the files are and a final one of a few
thousand rows, so that twice the machines take half the time until a worker has less than a row group to do, and the
start of a job, some seconds, is what is left. The sample is a second pass that reads a few instants.
"""
