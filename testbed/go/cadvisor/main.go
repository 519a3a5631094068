// cadvisor is a main around cAdvisor's library: the project's own lies in a module that is not published. The flags it
// has mean what they mean there, so that one command line serves the official image and the testbed's; flags that
// a package of the library defines itself (docker, docker_only, housekeeping_interval...) are there too.
package main

import (
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	_ "github.com/google/cadvisor/container/docker/install"
	"github.com/google/cadvisor/lib/cache/memory"
	"github.com/google/cadvisor/lib/container"
	"github.com/google/cadvisor/lib/manager"
	"github.com/google/cadvisor/lib/metrics"
	info "github.com/google/cadvisor/lib/model"
	"github.com/google/cadvisor/lib/utils/sysfs"
	"github.com/google/cadvisor/lib/version"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"k8s.io/klog/v2"
	"k8s.io/utils/clock"
)

var (
	listenIP      = flag.String("listen_ip", "", "address to listen on; empty: all")
	port          = flag.Int("port", 8080, "port to listen on")
	showVersion   = flag.Bool("version", false, "print the version and end")
	endpoint      = flag.String("prometheus_endpoint", "/metrics", "path of the metrics")
	prefix        = flag.String("url_base_prefix", "", "put before every path")
	keep          = flag.Duration("storage_duration", 2*time.Minute, "how long samples are kept in memory")
	allLabels     = flag.Bool("store_container_labels", true, "turn all labels and variables of a container into labels of its metrics")
	someLabels    = flag.String("whitelisted_container_labels", "", "labels of a container, separated by commas, that its metrics get without store_container_labels")
	variables     = flag.String("env_metadata_whitelist", "", "variables of a container, separated by commas, that its metrics get")
	cgroups       = flag.String("raw_cgroup_prefix_whitelist", "", "prefixes of cgroups, separated by commas, that are measured in spite of docker_only")
	disabled      container.MetricSet
	enabled       container.MetricSet
	disabledUnset = "advtcp,cpu_topology,cpuset,hugetlb,memory_numa,process,referenced_memory,resctrl,sched,tcp,udp"
)

func main() {
	if err := disabled.Set(disabledUnset); err != nil {
		klog.Fatal(err)
	}
	flag.Var(&disabled, "disable_metrics", "kinds of metrics, separated by commas, that are left out")
	flag.Var(&enabled, "enable_metrics", "the only kinds of metrics, separated by commas; disable_metrics then counts for nothing")
	klog.InitFlags(nil)
	flag.Parse()
	defer klog.Flush()
	if *showVersion {
		fmt.Printf("cAdvisor version %s (testbed)\n", version.Version)
		return
	}
	if flag.NArg() > 0 {
		klog.Fatalf("not a flag: %s", flag.Arg(0))
	}

	included := container.AllMetrics.Difference(disabled)
	if len(enabled) > 0 {
		included = enabled
	}
	measured, err := manager.New(memory.New(*keep, nil), sysfs.NewRealSysFs(), manager.HousekeepingConfigFlags, included,
		strings.Split(*cgroups, ","), strings.Split(*variables, ","), "", 0)
	if err != nil {
		klog.Fatalf("this machine cannot be measured: %v", err)
	}

	labels := metrics.DefaultContainerLabels
	if !*allLabels {
		labels = metrics.BaseContainerLabels(strings.Split(*someLabels, ","))
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(
		metrics.NewPrometheusCollector(measured, labels, included, clock.RealClock{}, info.RequestOptions{IdType: info.TypeName, Count: 1, Recursive: true}),
		metrics.NewPrometheusMachineCollector(measured, included),
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	paths := http.NewServeMux()
	paths.Handle(*endpoint, promhttp.HandlerFor(registry, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError}))
	paths.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "ok") })

	if err := measured.Start(); err != nil {
		klog.Fatalf("the containers cannot be measured: %v", err)
	}
	// The first process of a container is not ended by a signal that it does not handle.
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals
		_ = measured.Stop()
		klog.Flush()
		os.Exit(0)
	}()
	klog.Infof("cAdvisor %s, port %d, metrics: %s", version.Version, *port, included)
	root := http.NewServeMux()
	root.Handle(*prefix+"/", http.StripPrefix(*prefix, paths))
	klog.Fatal(http.ListenAndServe(net.JoinHostPort(*listenIP, fmt.Sprint(*port)), root))
}
