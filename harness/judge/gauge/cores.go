package gauge

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// Where the two processes of a contestant run. Where the scheduler puts them
// matters more than most code does, and it is another place in every run.
const (
	AsBook = 0  // as the book says
	Shared = 1  // both on the same core
	Apart  = 2  // a core for each, where there are two
	Free   = -1 // wherever the scheduler puts them
)

// cores are the numbers of the two processes' cores, or -1.
type cores struct{ first, second int }

// place finds cores that this process may use, of which the one of this number comes first.
func place(how, which int) cores {
	if how == Free {
		return cores{-1, -1}
	}
	var may unix.CPUSet
	if unix.SchedGetaffinity(0, &may) != nil {
		return cores{-1, -1}
	}
	var all []int
	for n := 0; len(all) < may.Count(); n++ {
		if may.IsSet(n) {
			all = append(all, n)
		}
	}
	// The first ones have the most interrupts.
	slices.Reverse(all)
	first := all[which%len(all)]
	if how == Shared {
		return cores{first, first}
	}
	second := first
	for _, n := range slices.Backward(all) {
		if n == first {
			continue
		}
		second = n
		// Two threads of one core are no two cores.
		if siblings(n) != siblings(first) {
			break
		}
	}
	return cores{first, second}
}

// siblings is the list of hardware threads that share a core with this one.
func siblings(cpu int) string {
	text, err := os.ReadFile(fmt.Sprintf("/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list", cpu))
	if err != nil {
		return fmt.Sprint(cpu)
	}
	return strings.TrimSpace(string(text))
}

// placed says where the processes ran. Many says that there are more than two in some benchmark.
func placed(how int, c cores, many bool) string {
	who := "The two processes"
	if many {
		who = "All processes"
	}
	switch {
	case how == Free || c.first < 0:
		return "The scheduler put the processes where it wanted."
	case how == Shared:
		return who + " share one core."
	case c.first == c.second:
		return who + " share one core, as there is no second one."
	}
	return "Each process has a core of its own."
}
