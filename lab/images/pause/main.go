// Pause holds a pod's namespaces open. It ends on SIGTERM or SIGINT, and takes the exit codes of orphaned
// processes, because it is process 1 where a pod shares its process namespace. With -v it says what it is and ends,
// which is how kubeadm sees, before an upgrade, whether the cluster brings a Job to its end.
package main

import (
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == "-v" {
		fmt.Println("pause of Crossmesh's lab")
		return
	}
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGCHLD)
	for received := range signals {
		if received != syscall.SIGCHLD {
			return
		}
		// Signals are merged while one is pending, so one SIGCHLD may stand for several children.
		for {
			pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil)
			if err == syscall.EINTR {
				continue
			}
			if pid <= 0 {
				break
			}
		}
	}
}
