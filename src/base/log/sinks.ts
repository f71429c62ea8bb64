import { DatagramSink, type SendDatagram } from "./datagram.ts";
import { encodeJournal, encodeSyslog, journalSocket, syslogSocket } from "./datagram-formats.ts";
import { type LogDestination, nullSink, type Sink } from "./log.ts";
import { type StderrOptions, StderrSink } from "./stderr.ts";

/**
 * The sink of a destination. What journal or syslog does not take (it is not there, or went away) goes to stderr,
 * after one line that says so; the next message tries the destination again.
 */
export function openSink(
  destination: LogDestination,
  options: { readonly sendDatagram: SendDatagram; readonly stderr?: StderrOptions },
): Sink {
  const { sendDatagram: send, stderr } = options;
  switch (destination) {
    case "null":
      return nullSink;
    case "stderr":
      return new StderrSink(stderr);
    case "syslog":
      return new DatagramSink("syslog", syslogSocket, encodeSyslog, send, new StderrSink(stderr));
    case "journal":
      return new DatagramSink("the journal", journalSocket, encodeJournal, send, new StderrSink(stderr));
  }
}
