package lab

import (
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"syscall"

	"ipcworkbook/harness/step/launch"
)

// prepare does what the test asked for and what only the process itself can do, and executes
// this program again. In every other process it does nothing. It comes before any of the
// learner's code.
func prepare() {
	text := os.Getenv(envPrepare)
	if text == "" {
		return
	}
	os.Unsetenv(envPrepare)
	err := prepared(text)
	if err == nil {
		err = syscall.Exec("/proc/self/exe", os.Args, os.Environ())
	}
	if line := openLine(); line != nil {
		line.send(message{Refused: err.Error()})
	}
	fmt.Fprintln(os.Stderr, "lab: preparing a process:", err)
	os.Exit(4)
}

func prepared(text string) error {
	var p preparation
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		return err
	}
	if p.Init {
		if err := launch.BecomeInit(); err != nil {
			return p.refused(err.Error())
		}
	}
	for _, one := range p.Settings {
		if err := os.WriteFile("/proc/sys/"+one.Name, []byte(strconv.Itoa(one.Value)), 0); err != nil {
			return p.refused(err.Error())
		}
	}
	for _, n := range p.Ignored {
		signal.Ignore(n)
	}
	return nil
}
