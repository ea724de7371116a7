// The program of chapter 3: a server and its clients. It uses your package,
// chapters/03-socket.
//
// Without arguments it is both: the client is this process, and the server a
// second one, which it starts with one end of a socket pair. With an address the
// two are started by themselves, in terminals of their own.
package main

import (
	"flag"
	"fmt"
	"os"
	"strings"

	"ipcworkbook/harness/todo"
)

const usage = `Usage:
  demo                     what you type goes to a second process, and comes back in capitals
  demo -serve ADDRESS      be the server at an address
  demo -talk ADDRESS       be a client: send what you type to the server there
  demo -lend FILE ADDRESS  be a client: lend an open file to the server there
  demo -transfer           send 8,192 messages of 1 KiB to a second process
  demo -transfer tcp       the same through TCP on 127.0.0.1
  demo -lo                 which of the two goes through the network interface lo?
ADDRESS is a path, or an abstract name: @name.
`

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		if _, ok := todo.In(err.Error()); ok {
			fmt.Fprintln(os.Stderr, "This function is yours to write, in chapters/03-socket.")
			fmt.Fprintln(os.Stderr, "`./task test chapter=3` shows the way, step by step.")
		}
		os.Exit(1)
	}
}

func run(args []string) error {
	// The first process sets the role when it starts the second. Nobody types it.
	switch os.Getenv(role) {
	case "answer":
		return second(answerTheFirst)
	case "count":
		return second(countMessages)
	case "lo":
		return inNamespace()
	}

	flags := flag.NewFlagSet("demo", flag.ContinueOnError)
	flags.SetOutput(os.Stderr)
	flags.Usage = func() { fmt.Fprint(os.Stderr, usage) }
	server := flags.Bool("serve", false, "")
	client := flags.Bool("talk", false, "")
	lender := flags.Bool("lend", false, "")
	transfer := flags.Bool("transfer", false, "")
	loopback := flags.Bool("lo", false, "")
	if err := flags.Parse(args); err == flag.ErrHelp {
		os.Exit(0)
	} else if err != nil {
		os.Exit(2) // flags has said why, and the usage
	}

	rest := flags.Args()
	switch which := (scene{*server, *client, *lender, *transfer, *loopback}); {
	case which == scene{} && len(rest) == 0:
		return talkToTheSecond()
	case which == scene{server: true} && len(rest) == 1:
		return serve(rest[0])
	case which == scene{client: true} && len(rest) == 1:
		return talk(rest[0])
	case which == scene{lender: true} && len(rest) == 2:
		return lend(rest[0], rest[1])
	case which == scene{transfer: true} && len(rest) == 0:
		return send8MiB(socketPair)
	case which == scene{transfer: true} && len(rest) == 1 && rest[0] == "tcp":
		return send8MiB(tcpPair)
	case which == scene{loopback: true} && len(rest) == 0:
		return askLo()
	}
	fmt.Fprintf(os.Stderr, "demo: these arguments do not go together: %s\n%s", strings.Join(args, " "), usage)
	os.Exit(2)
	return nil
}

// scene is what the flags choose. At most one of them is meant to be true.
type scene struct{ server, client, lender, transfer, loopback bool }
