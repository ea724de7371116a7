package chapter

import "runtime"

// Keep keeps its thread for itself, for what the kernel knows of a thread.
func Keep() {
	runtime.LockOSThread()
	select {}
}
