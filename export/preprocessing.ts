import { CONTRACT, PREPROCESSING } from '../reader/contract.ts';
import { GraphBuilder } from './onnx.ts';

/** The first operator set whose `Resize` filters against aliasing. */
export const OPSET = 18;

/**
 * The first nodes of every model: the film, resized to a square as Pillow would (the filter grows
 * with the reduction), in whole grey levels.
 * @returns name of the tensor: uint8 [1, 1, `resizeTo`, `resizeTo`].
 */
function addResize(graph: GraphBuilder): string {
  const side = PREPROCESSING.resizeTo;
  graph.input(CONTRACT.input, 'uint8', ['height', 'width']);
  graph.integers('film_axes', [0, 1]);
  graph.integers('film_sizes', [1, 1, side, side]);
  graph.node('Unsqueeze', [CONTRACT.input, 'film_axes'], 'film_nchw');
  return graph.node('Resize', ['film_nchw', '', '', 'film_sizes'], 'film_resized', {
    mode: { string: 'linear' },
    antialias: { int: 1 },
    coordinate_transformation_mode: { string: 'half_pixel' },
  });
}

/**
 * Adds the film's way into the network: input `film` (uint8 [height, width]), antialiased resize,
 * central crop.
 * @returns name of the tensor: float32 [1, 1, `inputSize`, `inputSize`], grey levels 0 to 255.
 */
export function addPreprocessing(graph: GraphBuilder): string {
  const { resizeTo, inputSize } = PREPROCESSING;
  const from = (resizeTo - inputSize) / 2;
  const resized = addResize(graph);
  graph.integers('crop_from', [from, from]);
  graph.integers('crop_to', [from + inputSize, from + inputSize]);
  graph.integers('crop_axes', [2, 3]);
  graph.node('Slice', [resized, 'crop_from', 'crop_to', 'crop_axes'], 'film_cropped');
  return graph.node('Cast', ['film_cropped'], 'grey', { to: { int: 1 } });
}

/**
 * A model of the resize alone, by the same nodes: `film` uint8 [height, width] -> `resized` uint8
 * [`resizeTo`, `resizeTo`]. The trainer prepares its films with it, so that what the network
 * learned from is what the tablet will show it.
 */
export function resizeModel(): Uint8Array {
  const side = PREPROCESSING.resizeTo;
  const graph = new GraphBuilder();
  const resized = addResize(graph);
  graph.node('Squeeze', [resized, 'film_axes'], 'resized');
  graph.output('resized', 'uint8', [side, side]);
  return graph.toModel({ name: 'resize', opset: OPSET });
}
