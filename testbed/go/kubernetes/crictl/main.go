// Command crictl answers the few questions that kind asks a node's container runtime: inspecti, images, pods, ps and
// version. The real one is not published as a Go module that could be built here.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/protoadapt"
	cri "k8s.io/cri-api/pkg/apis/runtime/v1"
)

const (
	endpoint = "unix:///run/containerd/containerd.sock"
	deadline = 10 * time.Second
)

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "crictl:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return errors.New("usage: crictl inspecti IMAGE | images | pods | ps | version")
	}
	connection, err := grpc.NewClient(endpoint, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer connection.Close()
	images, runtime := cri.NewImageServiceClient(connection), cri.NewRuntimeServiceClient(connection)
	switch args[0] {
	case "inspecti":
		// Flags such as `-o json` come before the image; JSON is the only form there is.
		return inspectImage(ctx, images, args[len(args)-1])
	case "images", "image", "img":
		return listImages(ctx, images)
	case "pods":
		return listPods(ctx, runtime)
	case "ps":
		return listContainers(ctx, runtime)
	case "version":
		return printVersion(ctx, runtime)
	}
	return fmt.Errorf("%q is not one of inspecti, images, pods, ps, version", args[0])
}

// inspectImage prints {"status": ...} as crictl does: kind reads the image's id from it.
func inspectImage(ctx context.Context, client cri.ImageServiceClient, name string) error {
	answer, err := client.ImageStatus(ctx, &cri.ImageStatusRequest{Image: &cri.ImageSpec{Image: name}})
	if err != nil {
		return err
	}
	if answer.Image == nil {
		return fmt.Errorf("no such image %q present", name)
	}
	message := protoadapt.MessageV2Of(protoadapt.MessageV1(answer.Image))
	text, err := protojson.MarshalOptions{Multiline: true, EmitUnpopulated: true}.Marshal(message)
	if err != nil {
		return err
	}
	fmt.Printf("{\"status\": %s}\n", text)
	return nil
}

func listImages(ctx context.Context, client cri.ImageServiceClient) error {
	answer, err := client.ListImages(ctx, &cri.ListImagesRequest{})
	if err != nil {
		return err
	}
	for _, image := range answer.Images {
		fmt.Println(image.Id, image.Size, image.RepoTags)
	}
	return nil
}

func listPods(ctx context.Context, client cri.RuntimeServiceClient) error {
	answer, err := client.ListPodSandbox(ctx, &cri.ListPodSandboxRequest{})
	if err != nil {
		return err
	}
	for _, pod := range answer.Items {
		fmt.Println(pod.Id, pod.State, pod.GetMetadata().GetNamespace()+"/"+pod.GetMetadata().GetName())
	}
	return nil
}

func listContainers(ctx context.Context, client cri.RuntimeServiceClient) error {
	answer, err := client.ListContainers(ctx, &cri.ListContainersRequest{})
	if err != nil {
		return err
	}
	for _, container := range answer.Containers {
		pod := container.Labels["io.kubernetes.pod.namespace"] + "/" + container.Labels["io.kubernetes.pod.name"]
		fmt.Println(container.Id, container.State, pod, container.GetMetadata().GetName(), container.GetImage().GetImage())
	}
	return nil
}

func printVersion(ctx context.Context, client cri.RuntimeServiceClient) error {
	answer, err := client.Version(ctx, &cri.VersionRequest{})
	if err != nil {
		return err
	}
	fmt.Println(answer.RuntimeName, answer.RuntimeVersion)
	return nil
}
