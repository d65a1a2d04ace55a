"""The files of a report: the HTML page, the tables as text, and the figures."""
