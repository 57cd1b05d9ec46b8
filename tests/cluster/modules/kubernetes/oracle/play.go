package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr/funcr"
	appsv1 "k8s.io/api/apps/v1"
	autoscaling "k8s.io/api/autoscaling/v2"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utilfeature "k8s.io/apiserver/pkg/util/feature"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/klog/v2"
	"k8s.io/kubernetes/pkg/api/legacyscheme"
	_ "k8s.io/kubernetes/pkg/apis/autoscaling/install"
	"k8s.io/kubernetes/pkg/controller/podautoscaler"
)

// autoscale is an HPA over time: what the controller's flags say, and what it finds at each of its syncs.
type autoscale struct {
	HPA       *autoscaling.HorizontalPodAutoscaler `json:"hpa"`
	Tolerance float64                              `json:"tolerance"`
	Downscale int                                  `json:"downscale"` // seconds
	Period    int                                  `json:"period"`    // seconds from sync to sync
	Replicas  int32                                `json:"replicas"`
	Steps     []step                               `json:"steps"`
}

// step is what one sync finds. Replicas is set where somebody else has scaled the workload, Spec where the HPA has
// been edited.
type step struct {
	Pods     []pod                                    `json:"pods"`
	Readings metrics                                  `json:"readings"`
	Status   int32                                    `json:"status"`
	Replicas *int32                                   `json:"replicas"`
	Spec     *autoscaling.HorizontalPodAutoscalerSpec `json:"spec"`
}

// outcome is what is there after a sync.
type outcome struct {
	Replicas   int32                                          `json:"replicas"`
	Conditions []autoscaling.HorizontalPodAutoscalerCondition `json:"conditions"`
	Metrics    []autoscaling.MetricStatus                     `json:"metrics"`
	Events     []event                                        `json:"events"`
}

// play runs the controller on a clock of its own, which stands still while it works: every sync is on the second.
func (a *autoscale) play(t *testing.T) (found []outcome, err error) {
	synctest.Test(t, func(t *testing.T) { found, err = a.run() })
	return found, err
}

func (a *autoscale) run() ([]outcome, error) {
	events := &events{}
	ctx, cancel := context.WithCancel(klog.NewContext(context.Background(), events.logger()))
	a.HPA.Namespace, a.HPA.Name = "x", "x"
	legacyscheme.Scheme.Default(a.HPA)
	// Not of the calculation: it waits for resource versions, which the fake client does not have.
	_ = utilfeature.DefaultMutableFeatureGate.Set("StaleControllerConsistencyHPA=false")

	client := fake.NewSimpleClientset(a.HPA)
	hpas := client.AutoscalingV2().HorizontalPodAutoscalers("x")
	factory := informers.NewSharedInformerFactory(client, 12*time.Hour)
	pods, readings, target := &podLister{}, metrics{}, &scale{spec: a.Replicas}
	mapper := apimeta.NewDefaultRESTMapper([]schema.GroupVersion{appsv1.SchemeGroupVersion})
	mapper.Add(appsv1.SchemeGroupVersion.WithKind("Deployment"), apimeta.RESTScopeNamespace)
	period := time.Duration(a.Period) * time.Second
	controller := podautoscaler.NewHorizontalController(
		ctx, client.CoreV1(), target, client.AutoscalingV2(), mapper, readings,
		factory.Autoscaling().V2().HorizontalPodAutoscalers(), newPodInformer(factory, pods),
		period, time.Duration(a.Downscale)*time.Second, a.Tolerance, time.Minute, time.Minute,
	)
	var running sync.WaitGroup
	defer func() { // in the bubble: its clock stops with this function
		cancel()
		running.Wait()
		factory.Shutdown()
		time.Sleep(time.Minute)
	}()

	outcomes := []outcome{}
	for number, now := range a.Steps {
		*pods = *podList(now.Pods)
		clear(readings)
		for name, one := range now.Readings {
			readings[name] = one
		}
		target.status = now.Status
		if now.Replicas != nil {
			target.spec = *now.Replicas
		}
		if now.Spec != nil {
			edited, err := hpas.Get(ctx, "x", metav1.GetOptions{})
			if err != nil {
				return nil, err
			}
			edited.Spec = *now.Spec
			legacyscheme.Scheme.Default(edited)
			if _, err := hpas.Update(ctx, edited, metav1.UpdateOptions{}); err != nil {
				return nil, err
			}
		}
		if number == 0 {
			factory.Start(ctx.Done())
			running.Go(func() { controller.Run(ctx, 1) })
			time.Sleep(time.Second)
			if target.looks == 0 { // before 1.37 a new HPA is looked at after one period
				time.Sleep(period)
			}
			time.Sleep(period / 2) // from here on between two syncs
		} else {
			time.Sleep(period)
		}
		synctest.Wait()
		if target.looks != number+1 {
			return nil, fmt.Errorf("sync %d: the controller has looked %d times", number, target.looks)
		}
		hpa, err := hpas.Get(ctx, "x", metav1.GetOptions{})
		if err != nil {
			return nil, err
		}
		outcomes = append(outcomes, outcome{target.spec, hpa.Status.Conditions, hpa.Status.CurrentMetrics, events.take()})
	}
	return outcomes, nil
}

// event is an event as the recorder logs it.
type event struct {
	Type    string `json:"type"`
	Reason  string `json:"reason"`
	Message string `json:"message"`
}

// events are those that the recorder logs: all of them, where the API gets what client-go's filters leave.
type events struct {
	lock sync.Mutex
	seen []event
}

func (e *events) logger() klog.Logger {
	return funcr.NewJSON(func(line string) {
		logged := struct {
			event
			Msg string `json:"msg"`
		}{}
		if err := json.Unmarshal([]byte(line), &logged); err != nil {
			log.Fatal(err)
		}
		if logged.Msg == "Event occurred" {
			e.lock.Lock()
			defer e.lock.Unlock()
			e.seen = append(e.seen, logged.event)
		}
	}, funcr.Options{Verbosity: 3})
}

func (e *events) take() []event {
	e.lock.Lock()
	defer e.lock.Unlock()
	taken := append([]event{}, e.seen...)
	e.seen = nil
	return taken
}
