// Command kindnetd gives the pods of a kind node their IPv4 network, as the daemon of that name does: the CNI
// configuration of this node's pod range, a route to every other node's range, and masquerading of what leaves both.
// (The real one is not published as a Go module that could be built here.)
package main

import (
	"bytes"
	"context"
	"fmt"
	"log"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/vishvananda/netlink"
	core "k8s.io/api/core/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
)

const (
	cniFile = "/etc/cni/net.d/10-kindnet.conflist"
	resync  = 30 * time.Second

	cniTemplate = `{
  "cniVersion": "0.3.1",
  "name": "kindnet",
  "plugins": [
    {
      "type": "ptp",
      "ipMasq": false,
      "ipam": {
        "type": "host-local",
        "dataDir": "/run/cni-ipam-state",
        "routes": [{"dst": "0.0.0.0/0"}],
        "ranges": [[{"subnet": %q}]]
      }
    },
    {"type": "portmap", "capabilities": {"portMappings": true}}
  ]
}
`

	// The table is declared before it is deleted so that the first run, which has none, succeeds as well.
	masqueradeTemplate = `table ip kindnetd {}
delete table ip kindnetd
table ip kindnetd {
  chain postrouting {
    type nat hook postrouting priority srcnat - 5; policy accept;
    ip saddr != %[1]s return
    ip daddr %[1]s return
    fib daddr type local return
    masquerade
  }
}
`
)

func main() {
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

func run() error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	hostIP, podSubnet := os.Getenv("HOST_IP"), os.Getenv("POD_SUBNET")
	if net.ParseIP(hostIP) == nil {
		return fmt.Errorf("HOST_IP %q is not an address", hostIP)
	}
	if _, _, err := net.ParseCIDR(podSubnet); err != nil {
		return fmt.Errorf("POD_SUBNET: %w", err)
	}
	config, err := rest.InClusterConfig()
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	if err := masquerade(ctx, podSubnet); err != nil {
		return err
	}
	node := local{hostIP: hostIP}
	factory := informers.NewSharedInformerFactory(client, resync)
	_, err = factory.Core().V1().Nodes().Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    node.learn,
		UpdateFunc: func(_, current any) { node.learn(current) },
		DeleteFunc: node.forget,
	})
	if err != nil {
		return err
	}
	factory.Start(ctx.Done())
	<-ctx.Done()
	return nil
}

// masquerade loads the rules; kube-proxy may hold the tables at the same moment, so it tries for a while.
func masquerade(ctx context.Context, podSubnet string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	rules := fmt.Sprintf(masqueradeTemplate, podSubnet)
	for {
		command := exec.CommandContext(ctx, "nft", "-f", "-")
		command.Stdin = strings.NewReader(rules)
		output, err := command.CombinedOutput()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("nft: %w: %s", err, bytes.TrimSpace(output))
		case <-time.After(time.Second):
		}
	}
}

// local is the node that this process runs on.
type local struct{ hostIP string }

// learn configures this node's own pod range, or the route to another's. A failure is logged and met again at the resync.
func (l local) learn(object any) {
	node, ok := object.(*core.Node)
	if !ok || node.Spec.PodCIDR == "" {
		return
	}
	var err error
	switch ip := internalIPv4(node); ip {
	case "":
		return
	case l.hostIP:
		err = writeConfiguration(node.Spec.PodCIDR)
	default:
		err = changeRoute(netlink.RouteReplace, node.Spec.PodCIDR, ip)
	}
	if err != nil {
		log.Printf("node %s: %v", node.Name, err)
	}
}

func (l local) forget(object any) {
	if gone, ok := object.(cache.DeletedFinalStateUnknown); ok {
		object = gone.Obj
	}
	node, ok := object.(*core.Node)
	if !ok || node.Spec.PodCIDR == "" || internalIPv4(node) == l.hostIP {
		return
	}
	if err := changeRoute(netlink.RouteDel, node.Spec.PodCIDR, ""); err != nil {
		log.Printf("node %s: %v", node.Name, err)
	}
}

func internalIPv4(node *core.Node) string {
	for _, address := range node.Status.Addresses {
		if ip := net.ParseIP(address.Address); address.Type == core.NodeInternalIP && ip != nil && ip.To4() != nil {
			return address.Address
		}
	}
	return ""
}

// changeRoute applies change to the route to podRange by way of gateway (none given: whatever it is).
func changeRoute(change func(*netlink.Route) error, podRange, gateway string) error {
	_, destination, err := net.ParseCIDR(podRange)
	if err != nil {
		return err
	}
	return change(&netlink.Route{Dst: destination, Gw: net.ParseIP(gateway)})
}

// writeConfiguration puts the CNI file in place by rename: the container runtime reads the folder at any moment.
func writeConfiguration(podRange string) error {
	wanted := fmt.Sprintf(cniTemplate, podRange)
	if present, err := os.ReadFile(cniFile); err == nil && string(present) == wanted {
		return nil
	}
	if err := os.WriteFile(cniFile+".new", []byte(wanted), 0o644); err != nil {
		return err
	}
	return os.Rename(cniFile+".new", cniFile)
}
