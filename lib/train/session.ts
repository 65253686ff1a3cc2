// What is trained and everything that changes with it: network, optimizer, average, generator, and the figures of the epoch.
// All of it is tensors, so that a step is one replayed call and a checkpoint holds all that the next step depends on.
import { compile, compileReplayed } from '../compile.js'
import { onDevice } from '../device.js'
import { DataLoader } from '../data/loader.js'
import type { Feed } from '../data/feed.js'
import { tensor } from '../functional/creation.js'
import { gather } from '../functional/indexing.js'
import { generatorState, seed } from '../functional/random.js'
import { assign } from '../functional/shape.js'
import { crossEntropy } from '../losses.js'
import { Memory } from '../io/safetensors.js'
import { Confusion, Mean } from '../metrics/index.js'
import { takeWeights } from '../nn/weights.js'
import { WeightAverage } from '../optim/index.js'
import { keep, type DType, type Tensor } from '../tensor.js'
import { groupOf, takeCheckpoint, type Checkpoint, type Position } from './checkpoint.js'
import { checkOutputs } from './evaluate.js'
import { isOfConfusion, readMetric } from './metric-names.js'
import type { Plan } from './options.js'

export class Session {
  /** The number of batches in an epoch. */
  readonly batches: number
  readonly #feed: Feed
  readonly #plan: Plan
  readonly #average: WeightAverage | undefined
  readonly #memory = new Memory()
  readonly #loss = new Mean()
  readonly #confusion: Confusion
  readonly #step: (pictures: number, isStep: boolean) => Tensor | undefined

  constructor(plan: Plan) {
    this.#plan = plan
    const { network, train, batchSize, normalize = false, augment, dropLast, device } = plan
    seed(plan.seed)
    if (!network.training) network.train()
    network.to(device)
    const shuffle = true
    const loader = { batchSize, shuffle, seed: plan.seed, normalize, augment, dropLast, device }
    const batches = new DataLoader(train, loader)
    this.batches = batches.length
    this.#feed = batches.feed(device !== 'cpu')
    const positive = plan.positive === undefined ? {} : { positive: plan.positive }
    this.#confusion = new Confusion(train.classes, positive)
    if (plan.averageWeights !== undefined) {
      if (!network.built) network.build([1, ...train.shape])
      this.#average = new WeightAverage(network, { decay: plan.averageWeights })
    }
    this.#step = this.#compileStep()
  }

  /** Goes on at a batch of an epoch. */
  open({ epoch, batch }: Position): Promise<void> {
    return this.#feed.open(epoch, batch)
  }

  /**
   * The next batch, the `number`-th of the epoch from 0; nothing is waited for. `isStep`: whether its gradients, with those put by
   * before, change the weights. Gives the loss where a callback is to have it.
   */
  step(number: number, isStep: boolean): Tensor | undefined {
    return this.#step(this.#feed.size(number), isStep)
  }

  #compileStep(): (pictures: number, isStep: boolean) => Tensor | undefined {
    const { network, optimizer, train, device } = this.#plan
    const lossOf = this.#lossFunction()
    const groups = train.fine && keep(tensor(Int32Array.from(train.fine.groups), { device }))
    const isHeard = this.#plan.callbacks.some(({ onBatchEnd }) => onBatchEnd !== undefined)
    const step = (pictures: number, isStep: boolean): Tensor | undefined => {
      const { images, labels, fine } = this.#feed.next(pictures)
      const outputs = network.forward(images)
      if (!this.#plan.loss) checkOutputs('fit', outputs, images.shape[0]!, train.fine?.classes ?? train.classes)
      const loss = lossOf(outputs, fine ?? labels)
      if (isStep) {
        optimizer.minimize(loss, network)
        this.#average?.update()
      } else optimizer.accumulate(loss, network)
      this.#loss.update(loss.detach(), labels.size)
      const predictions = outputs.detach().argmax(1)
      this.#confusion.update(groups ? gather(groups, predictions) : predictions, labels)
      for (const one of [images, labels, fine]) one?.dispose()
      this.#feed.ahead(pictures)
      return isHeard ? loss.detach() : undefined
    }
    // The first steps of a process that goes on with a run must be as they would have been without an end. On the CPU a
    // step gives the same bits compiled or not.
    const compiling = device === 'cpu' ? compile : compileReplayed
    const compiled = compiling(step, { compute: this.#plan.compute, exact: this.#plan.exact })
    return (pictures, isStep) => onDevice('fit', device, () => compiled(pictures, isStep))
  }

  #lossFunction(): (outputs: Tensor, labels: Tensor<'int32'>) => Tensor {
    const { loss, classWeights, labelSmoothing, device } = this.#plan
    if (loss) return loss
    const weights = classWeights && keep(tensor([...classWeights], { device }))
    return (outputs, labels) => crossEntropy(outputs, labels, { weights, labelSmoothing })
  }

  /** The figures of the epoch so far. */
  async figures(): Promise<Record<string, number>> {
    const names = this.#plan.metrics.filter(isOfConfusion)
    const read = names.map((name) => readMetric(name, this.#confusion, undefined))
    const [loss, ...values] = await Promise.all([this.#loss.value(), ...read])
    return { loss: loss!, ...Object.fromEntries(names.map((name, i) => [name, values[i]!])) }
  }

  /** Starts the figures anew. */
  resetFigures(): void {
    this.#loss.reset()
    this.#confusion.reset()
  }

  /** Runs `f` with the weights that the training is to give: the average where there is one. */
  async withFinalWeights<T>(f: () => Promise<T>): Promise<T> {
    this.#average?.swap()
    try {
      return await f()
    } finally {
      this.#average?.swap()
    }
  }

  /** Leaves the network with the weights that the training is to give. */
  finish(): void {
    this.#average?.swap()
  }

  /** Everything as it is now, to go on from. Gives what writes it. */
  take(position: Position): (path: string) => Promise<void> {
    return takeCheckpoint(
      {
        ...this.#weights(),
        optimizer: this.#plan.optimizer.state(),
        random: { state: generatorState(this.#plan.device) },
        loss: this.#loss.state(),
        confusion: this.#confusion.state()
      },
      position,
      this.#memory
    )
  }

  /** The weights alone, to use. Gives what writes them. */
  takeWeights(position: Position): (path: string) => Promise<void> {
    return takeCheckpoint(this.#weights(), position, this.#memory)
  }

  #weights(): Record<string, Record<string, Tensor<DType>>> {
    const { network } = this.#plan
    const all = [...network.variables('parameter'), ...network.variables('buffer')]
    return { network: Object.fromEntries(all), ...(this.#average && { average: this.#average.state() }) }
  }

  /** Takes everything back from a checkpoint. */
  restore(checkpoint: Checkpoint): void {
    const { network, optimizer, device } = this.#plan
    takeWeights(network, checkpoint.file, checkpoint.path, 'network.')
    // Before the first step neither has a state.
    const [steps, average] = ['optimizer', 'average'].map((group) => groupOf(checkpoint, group))
    if (Object.keys(steps!).length > 0) optimizer.loadState(steps!, network)
    if (Object.keys(average!).length > 0) this.#average?.loadState(average!)
    assign(generatorState(device), groupOf(checkpoint, 'random')['state']!.to(device) as Tensor<'int64'>)
    this.#loss.loadState(groupOf(checkpoint, 'loss'))
    this.#confusion.loadState(groupOf(checkpoint, 'confusion'))
  }
}
