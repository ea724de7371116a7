package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"time"
)

// waiting is how many of these people wait for ever: they sleep, and in five looks none of them has
// moved. All who could wake them have to be among them, or to have ended.
func waiting(all ...*person) int {
	same := 0
	var before []string
	for {
		now, asleep := look(all)
		if same++; !asleep || !slices.Equal(now, before) {
			same = 0
		}
		if same == 5 || asleep && len(now) == 0 {
			left := 0
			for _, p := range all {
				select {
				case <-p.ended:
				default:
					left++
				}
			}
			return left
		}
		before = now
		time.Sleep(20 * time.Millisecond)
	}
}

// look is how often each thread of these people has gone to sleep, and whether all sleep.
func look(all []*person) (counts []string, asleep bool) {
	for _, p := range all {
		select {
		case <-p.ended:
			continue
		default:
		}
		threads, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", p.pid()))
		if err != nil {
			return nil, false // it ends
		}
		for _, thread := range threads {
			text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/status", p.pid(), thread.Name()))
			if err != nil || !strings.Contains(string(text), "\nState:\tS") {
				return nil, false
			}
			_, count, _ := strings.Cut(string(text), "\nvoluntary_ctxt_switches:")
			count, _, _ = strings.Cut(count, "\n")
			counts = append(counts, thread.Name()+count)
		}
	}
	return counts, true
}
