// The program of chapter 2: one process appends to a file, another one follows it.
// It uses your package, chapters/02-file.
//
// The first process is the producer. It starts this program once more, as the
// consumer, and tells it the file's path. Nothing else connects the two.
package main

import (
	"flag"
	"fmt"
	"os"
	"strings"

	file "ipcworkbook/chapters/02-file"
	"ipcworkbook/harness/todo"
)

const usage = `Usage:
  demo                     what you type goes through a file to a second process
  demo -file PATH write    append what you type to a file
  demo -file PATH read     follow a file that another terminal writes
  demo -transfer           send 8,192 messages of 1 KiB to a second process
  demo -dirty PATH         how much of a file the disk does not have yet

  -durable never|close|each   when a writer waits for the disk; never if left out
`

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		if _, ok := todo.In(err.Error()); ok {
			fmt.Fprintln(os.Stderr, "This function is yours to write, in chapters/02-file.")
			fmt.Fprintln(os.Stderr, "`./task test chapter=2` shows the way, step by step.")
		}
		os.Exit(1)
	}
}

var durabilities = map[string]file.Durability{
	"never": file.Never,
	"close": file.AtClose,
	"each":  file.EachRecord,
}

func run(args []string) error {
	// The producer sets the role when it starts the consumer. Nobody types it.
	switch os.Getenv(role) {
	case "talk":
		return followProducer(printRecords)
	case "transfer":
		return followProducer(countRecords)
	}

	flags := flag.NewFlagSet("demo", flag.ContinueOnError)
	flags.SetOutput(os.Stderr)
	flags.Usage = func() { fmt.Fprint(os.Stderr, usage) }
	path := flags.String("file", "", "")
	transfer := flags.Bool("transfer", false, "")
	dirty := flags.String("dirty", "", "")
	durable := flags.String("durable", "never", "")
	if err := flags.Parse(args); err == flag.ErrHelp {
		os.Exit(0)
	} else if err != nil {
		os.Exit(2) // flags has said why, and the usage
	}

	d, known := durabilities[*durable]
	rest := strings.Join(flags.Args(), " ")
	switch {
	case !known:
	case *dirty != "" && *path == "" && !*transfer && rest == "":
		return showDirt(*dirty)
	case *dirty != "":
	case *path == "" && !*transfer && rest == "":
		return talk(d)
	case *path == "" && *transfer && rest == "":
		return send8MiB(d)
	case *path != "" && !*transfer && rest == "read":
		return read(*path)
	case *path != "" && !*transfer && rest == "write":
		return write(*path, d)
	}
	fmt.Fprintf(os.Stderr, "demo: these arguments do not go together: %s\n%s", strings.Join(args, " "), usage)
	os.Exit(2)
	return nil
}
