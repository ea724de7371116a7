package supervisor

import (
	"os"
	"time"
)

// tidy waits for the end of whoever started this process and removes a folder
// then. Whoever is killed by SIGKILL cannot do that itself.
func tidy(folder string) {
	gone, err := parentGone()
	if err == nil {
		<-gone
	}
	// A compiler that was started may still write into it for a moment.
	for range 100 {
		if err = os.RemoveAll(folder); err == nil {
			os.Exit(0)
		}
		time.Sleep(100 * time.Millisecond)
	}
	os.Exit(4)
}
