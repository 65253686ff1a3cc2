// The shortest program with a result: what a user waits for at each start.
import { add, tensor } from 'needletail'

console.log(add(tensor([1]), tensor([2])).dataSync()[0])
