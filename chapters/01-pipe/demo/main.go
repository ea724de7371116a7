// The program of chapter 1: two processes and the pipe between them. It uses
// your package, chapters/01-pipe.
//
// The first process is the producer. It starts this program once more, as the
// consumer, and hands over the read end of a pipe.
package main

import (
	"flag"
	"fmt"
	"os"
	"strings"

	"ipcworkbook/harness/todo"
)

const usage = `Usage:
  demo                    what you type goes through a pipe to a second process
  demo -fifo PATH read    receive what another terminal sends through a FIFO
  demo -fifo PATH write   send what you type through a FIFO
  demo -transfer          send 8,192 messages of 1 KiB to a second process
`

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		if _, ok := todo.In(err.Error()); ok {
			fmt.Fprintln(os.Stderr, "This function is yours to write, in chapters/01-pipe.")
			fmt.Fprintln(os.Stderr, "`./task test chapter=1` shows the way, step by step.")
		}
		os.Exit(1)
	}
}

func run(args []string) error {
	// The producer sets the role when it starts the consumer. Nobody types it.
	switch os.Getenv(role) {
	case "talk":
		return receiveFromProducer(printMessages)
	case "transfer":
		return receiveFromProducer(countMessages)
	}

	flags := flag.NewFlagSet("demo", flag.ContinueOnError)
	flags.SetOutput(os.Stderr)
	flags.Usage = func() { fmt.Fprint(os.Stderr, usage) }
	fifo := flags.String("fifo", "", "")
	transfer := flags.Bool("transfer", false, "")
	if err := flags.Parse(args); err == flag.ErrHelp {
		os.Exit(0)
	} else if err != nil {
		os.Exit(2) // flags has said why, and the usage
	}

	switch rest := strings.Join(flags.Args(), " "); {
	case *fifo == "" && !*transfer && rest == "":
		return talk()
	case *fifo == "" && *transfer && rest == "":
		return send8MiB()
	case *fifo != "" && !*transfer && rest == "read":
		return readFIFO(*fifo)
	case *fifo != "" && !*transfer && rest == "write":
		return writeFIFO(*fifo)
	}
	fmt.Fprintf(os.Stderr, "demo: these arguments do not go together: %s\n%s", strings.Join(args, " "), usage)
	os.Exit(2)
	return nil
}
